import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { beginLogin, endLogin, logoutUrl, refreshTokens, subjectOf } from '../src/cognito.ts';

const COGNITO = { domain: 'lab.auth.eu-central-1.amazoncognito.com', clientId: 'page', region: 'eu-central-1' };
const PAGE = 'https://page.example/app/?old=1#/executions';

/** Answer the next token request; return what was sent. */
function answer(t: { mock: any }, status: number, body: object): URLSearchParams[] {
  const sent: URLSearchParams[] = [];
  t.mock.method(globalThis, 'fetch', async (url: string, { body: form }: { body: URLSearchParams }) => {
    assert.equal(url, `https://${COGNITO.domain}/oauth2/token`);
    sent.push(form);
    return Response.json(body, { status });
  });
  return sent;
}

test('the login gets a challenge of which only this tab has the verifier', async () => {
  const { url, kept } = await beginLogin(COGNITO, PAGE);
  const query = new URL(url).searchParams;
  assert.equal(query.get('redirect_uri'), 'https://page.example/app/');
  assert.equal(query.get('code_challenge'), createHash('sha256').update(kept.verifier).digest('base64url'));
  assert.equal(query.get('state'), kept.state);
  assert.ok(!url.includes(kept.verifier));
  assert.notEqual((await beginLogin(COGNITO, PAGE)).kept.verifier, kept.verifier);
});

test('the code is exchanged for tokens with the verifier and without a secret', async (t) => {
  const sent = answer(t, 200, { id_token: 'id', refresh_token: 'refresh', expires_in: 3600 });
  const tokens = await endLogin(COGNITO, 'https://page.example/app/?code=c-1&state=s', { state: 's', verifier: 'v' });
  assert.deepEqual([tokens?.idToken, tokens?.refreshToken], ['id', 'refresh']);
  assert.ok(Math.abs(tokens!.expiresAt - Date.now() - 3_600_000) < 5000);
  assert.deepEqual(Object.fromEntries(sent[0]), {
    grant_type: 'authorization_code',
    code: 'c-1',
    redirect_uri: 'https://page.example/app/',
    code_verifier: 'v',
    client_id: 'page',
  });
});

test('an answer that belongs to another login is refused before the code is used', async (t) => {
  const sent = answer(t, 200, { id_token: 'id' });
  const page = 'https://page.example/?code=c-1&state=other';
  await assert.rejects(endLogin(COGNITO, page, { state: 's', verifier: 'v' }), /another login/);
  await assert.rejects(endLogin(COGNITO, page, null), /another login/);
  assert.equal(sent.length, 0);
});

test('a login that failed says why', async (t) => {
  const page = 'https://page.example/?error=access_denied&error_description=User+is+disabled';
  await assert.rejects(endLogin(COGNITO, page, null), /User is disabled/);
  answer(t, 400, { error: 'invalid_grant' });
  await assert.rejects(
    endLogin(COGNITO, 'https://page.example/?code=c&state=s', { state: 's', verifier: 'v' }),
    /invalid_grant/,
  );
});

test('a page that was opened without a login has no tokens', async () => {
  assert.equal(await endLogin(COGNITO, 'https://page.example/', null), null);
});

test('a refresh keeps the refresh token, which Cognito does not send again', async (t) => {
  answer(t, 200, { id_token: 'fresh', expires_in: 3600 });
  const tokens = await refreshTokens(COGNITO, 'refresh');
  assert.deepEqual([tokens.idToken, tokens.refreshToken], ['fresh', 'refresh']);
});

test('the logout comes back to the page', () => {
  assert.equal(new URL(logoutUrl(COGNITO, PAGE)).searchParams.get('logout_uri'), 'https://page.example/app/');
});

test('the id of the user is read from a token, also with letters beyond ASCII beside it', () => {
  const payload = Buffer.from(JSON.stringify({ sub: 'user-1', name: 'Søren ÿÿÿ>>>' })).toString('base64url');
  assert.equal(subjectOf(`head.${payload}.signature`), 'user-1');
  assert.equal(subjectOf('no token'), null);
});
