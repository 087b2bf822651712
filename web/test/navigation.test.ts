import assert from 'node:assert/strict';
import test from 'node:test';
import { links, parseHash } from '../src/navigation.ts';

test('an empty hash is the start', () => {
  for (const hash of ['', '#', '#/']) assert.deepEqual(parseHash(hash), { screen: 'start' });
});

test('a link to a screen is read back as that screen', () => {
  assert.deepEqual(parseHash(links.executions), { screen: 'executions' });
  assert.deepEqual(parseHash(links.uploads), { screen: 'uploads' });
  assert.deepEqual(parseHash(links.execution('e-1')), { screen: 'execution', id: 'e-1' });
  assert.deepEqual(parseHash(links.review('e/1 %')), { screen: 'review', id: 'e/1 %' });
});

test('an address that names no screen is unknown, not the start', () => {
  for (const hash of ['#/nemo', '#/executions/e-1/nemo', '#/executions/e-1/review/2', '#/uploads/u-1']) {
    assert.deepEqual(parseHash(hash), { screen: 'unknown' });
  }
});

test('a percent sign that encodes nothing is taken as it is', () => {
  assert.deepEqual(parseHash('#/executions/%zz'), { screen: 'execution', id: '%zz' });
});
