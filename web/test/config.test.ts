import assert from 'node:assert/strict';
import test from 'node:test';
import { checkConfig } from '../src/config.ts';

const PAGE = 'https://page.example/folder/index.html';

test('the address of the API may be absolute or relative to the page', () => {
  assert.equal(checkConfig({ apiUrl: 'https://api.example/v1/' }, PAGE).apiUrl, 'https://api.example/v1');
  assert.equal(checkConfig({ apiUrl: '/api' }, PAGE).apiUrl, 'https://page.example/api');
});

test('a key is asked for unless the configuration says otherwise', () => {
  assert.equal(checkConfig({ apiUrl: '/api' }, PAGE).signIn, 'api-key');
});

test('a configuration that cannot be used names the field', () => {
  assert.throws(() => checkConfig(null, PAGE), /apiUrl/);
  assert.throws(() => checkConfig({ apiUrl: '/api', signIn: 'none' }, PAGE), /signIn/);
  assert.throws(() => checkConfig({ apiUrl: '/api', signIn: 'cognito' }, PAGE), /cognito.domain/);
});
