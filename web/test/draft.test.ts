import assert from 'node:assert/strict';
import test from 'node:test';
import { forgetStartKey, readDraft, startKey, writeDraft } from '../src/start/draft.ts';
import { DEFAULTS } from '../src/start/settings.ts';

function memory(): Storage {
  const items = new Map<string, string>();
  return {
    getItem: (name: string) => items.get(name) ?? null,
    setItem: (name: string, value: string) => items.set(name, value),
    removeItem: (name: string) => items.delete(name),
  } as unknown as Storage;
}

const REQUEST = { recordings: ['u-1'], model: 'reef', settings: {} };

test('the same request has the same key until it is answered, so a double click starts one execution', () => {
  const storage = memory();
  const key = startKey(REQUEST, storage);
  assert.match(key, /^[0-9a-f]{32}$/);
  assert.equal(startKey({ ...REQUEST }, storage), key);
  forgetStartKey(storage);
  assert.notEqual(startKey(REQUEST, storage), key);
});

test('another request has another key', () => {
  const storage = memory();
  assert.notEqual(startKey(REQUEST, storage), startKey({ ...REQUEST, settings: { threshold: 0.6 } }, storage));
});

test('what was chosen is there after a reload, and a new setting has its default', () => {
  const storage = memory();
  assert.deepEqual(readDraft(storage), { model: '', form: DEFAULTS });
  writeDraft({ model: 'reef@2.0.0', form: { ...DEFAULTS, median_windows: '3' } }, storage);
  assert.deepEqual(readDraft(storage), { model: 'reef@2.0.0', form: { ...DEFAULTS, median_windows: '3' } });
  storage.setItem('anemonefish.draft', '{"model":"reef","form":{}}');
  assert.deepEqual(readDraft(storage).form, DEFAULTS);
  storage.setItem('anemonefish.draft', 'not JSON');
  assert.equal(readDraft(storage).model, '');
});
