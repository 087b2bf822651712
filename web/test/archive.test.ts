import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnemonefishError } from '../src/client.ts';
import { makeArchive } from '../src/results/archive.ts';
import { safePath, uniqueNames } from '../src/results/file-names.ts';

test('a name cannot leave the folder of the archive', () => {
  assert.equal(safePath('../../etc/passwd'), 'etc/passwd');
  assert.equal(safePath('/absolute/a.csv'), 'absolute/a.csv');
  assert.equal(safePath('C:\\temp\\a.csv'), 'C_/temp/a.csv');
  assert.equal(safePath('..'), 'file');
});

test('a name holds no character that a file system refuses', () => {
  assert.equal(safePath('<b>x</b>.wav.json'), '_b_x_/b_.wav.json');
  assert.equal(safePath('a\u202Egnp.csv'), 'a_gnp.csv');
  assert.equal(safePath('review/clips/a.wav.12.flac'), 'review/clips/a.wav.12.flac');
});

test('equal names are numbered before their endings', () => {
  const unique = uniqueNames();
  assert.equal(unique('a.wav.events.csv'), 'a.wav.events.csv');
  assert.equal(unique('A.wav.events.csv'), 'A-2.wav.events.csv');
  assert.equal(unique('a.wav.events.csv'), 'a-3.wav.events.csv');
  assert.equal(unique('x/settings'), 'x/settings');
  assert.equal(unique('x/settings'), 'x/settings-2');
});

test('an archive whose file did not arrive is rejected with the reason of that file', async () => {
  const expired = new AnemonefishError('AccessDenied', 'Request has expired', { status: 403 });
  async function* entries() {
    yield { name: 'a.csv', content: async () => new Blob(['start']) };
    yield { name: 'b.csv', content: () => Promise.reject(expired) };
  }
  await assert.rejects(makeArchive(entries(), new AbortController().signal, () => {}), expired);
});
