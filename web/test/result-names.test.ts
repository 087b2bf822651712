import assert from 'node:assert/strict';
import test from 'node:test';
import { resultNames } from '../src/uploads/result-names.ts';

test('repeated names are numbered in the order of the recordings', () => {
  assert.deepEqual(resultNames(['a.wav', 'b.wav', 'a.wav', 'A.WAV']), ['a.wav', 'b.wav', 'a-2.wav', 'A-3.WAV']);
});

test('a numbered name does not take the name of another file', () => {
  assert.deepEqual(resultNames(['a.wav', 'a-2.wav', 'a.wav']), ['a.wav', 'a-2.wav', 'a-3.wav']);
});

test('an accent counts as the same in both encodings', () => {
  const [one, two] = ['é.wav'.normalize('NFC'), 'é.wav'.normalize('NFD')];
  assert.deepEqual(resultNames([one, two]), [one, `${two.slice(0, -4)}-2.wav`]);
});
