import assert from 'node:assert/strict';
import test from 'node:test';
import { identify } from '../src/uploads/identity.ts';

const recording = (fill: number, { name = 'a.wav', lastModified = 1, size = 500_000, at = -1 } = {}) => {
  const bytes = new Uint8Array(size);
  if (at >= 0) bytes[at] = fill;
  else bytes.fill(fill);
  return new File([bytes], name, { lastModified });
};

test('a file has the same identity again', async () => {
  assert.equal(await identify(recording(1)), await identify(recording(1)));
});

test('two memory cards with files of the same name, size and time are told apart', async () => {
  assert.notEqual(await identify(recording(1)), await identify(recording(2)));
});

test('name, size, time of change, and bytes at the beginning, in the middle and at the end matter', async () => {
  const files = [
    recording(0),
    recording(0, { name: 'b.wav' }),
    recording(0, { size: 500_001 }),
    recording(0, { lastModified: 2 }),
    recording(1, { at: 0 }),
    recording(1, { at: 250_000 }),
    recording(1, { at: 499_999 }),
  ];
  const identities = await Promise.all(files.map(identify));
  assert.equal(new Set(identities).size, files.length);
});

test('a file that is smaller than the blocks is read whole', async () => {
  assert.notEqual(
    await identify(new File(['a'], 'a.wav', { lastModified: 1 })),
    await identify(new File(['b'], 'a.wav', { lastModified: 1 })),
  );
});
