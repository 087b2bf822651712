import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventKey } from '../src/results/event-keys.ts';

test('arrows, Space and Z work wherever the focus is in the panel, also on a button that was clicked', () => {
  assert.deepEqual(['ArrowLeft', 'ArrowRight', ' ', 'z', 'Escape', 'x'].map((key) => eventKey(key, 'section')), ['previous', 'next', 'play', 'zoom', 'close', null]);
  assert.deepEqual(['ArrowLeft', 'ArrowRight', 'z'].map((key) => eventKey(key, 'button')), ['previous', 'next', 'zoom']);
});

test('a control keeps the keys that it needs: a button Space, a field all but Escape', () => {
  assert.equal(eventKey(' ', 'button'), null);
  for (const element of ['input', 'select']) {
    assert.deepEqual(['ArrowLeft', 'ArrowRight', ' ', 'z', 'Escape'].map((key) => eventKey(key, element)), [null, null, null, null, 'close']);
  }
});
