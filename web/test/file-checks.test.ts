import assert from 'node:assert/strict';
import test from 'node:test';
import { checkFile } from '../src/uploads/file-checks.ts';
import limits from '../src/uploads/limits.json' with { type: 'json' };

test('a recording is accepted, whatever the case of its extension', () => {
  for (const name of ['a.wav', 'A.WAV', 'reef.2023.flac', 'deployment 7/SD-A/a.mp3', '<b>reef</b>.wav']) {
    assert.equal(checkFile(name, 10), null, name);
  }
});

test('a file that cannot be uploaded is left out with its reason', () => {
  const reasons: [string, number, string][] = [
    ['.a.wav', 10, 'hidden'],
    ['.Trashes/a.wav', 10, 'hidden'],
    ['card/__MACOSX/a.wav', 10, 'system'],
    ['System Volume Information/a.wav', 10, 'system'],
    ['CONFIG.TXT', 10, 'not-audio'],
    ['wav', 10, 'not-audio'],
    ['a.wav', 0, 'empty'],
    ['a.wav', limits.mostBytes + 1, 'too-large'],
    [`${'a'.repeat(200)}.wav`, 10, 'name'],
    ['a\u0007.wav', 10, 'name'],
    ['a\\b.wav', 10, 'name'],
  ];
  for (const [path, size, reason] of reasons) assert.equal(checkFile(path, size), reason, path);
});

test('the longest name and the largest size are accepted', () => {
  assert.equal(checkFile(`${'a'.repeat(196)}.wav`, limits.mostBytes), null);
});
