import assert from 'node:assert/strict';
import test from 'node:test';
import { stubSessionStorage } from './helpers.ts';

const kept = stubSessionStorage();
const { client, config, endSession, session } = await import('../src/session.ts');

test('tokens that arrive after the end of the session are not kept, and its requests are refused as signed out', async () => {
  let answer = (_: Response) => {};
  const asked: (string | null)[] = [];
  globalThis.fetch = async (url, init) => {
    if (String(url).includes('/oauth2/token')) return new Promise<Response>((resolve) => (answer = resolve));
    asked.push(new Headers(init?.headers).get('authorization'));
    return Response.json({ error: 'NotAllowed', message: 'no token' }, { status: 401 });
  };
  config.value = {
    apiUrl: 'https://api.example',
    signIn: 'cognito',
    cognito: { domain: 'login.example', clientId: 'c', region: 'eu-west-1' },
  };
  session.value = { kind: 'cognito', idToken: 'old', refreshToken: 'r', expiresAt: 0 };
  const request = client.value!.usage();
  await new Promise((resolve) => setTimeout(resolve, 1));
  endSession();
  answer(Response.json({ id_token: 'new', expires_in: 3600 }));
  await assert.rejects(request, { error: 'NotAllowed' });
  assert.deepEqual([session.value, kept.length, asked.includes('new')], [null, 0, false]);
});
