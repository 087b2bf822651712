/** Cognito's hosted login: authorization code with PKCE (RFC 7636), which needs no secret. */
import type { Cognito } from './config.ts';

/** The tokens of a user, and when they expire (ms since 1970). */
export interface Tokens {
  idToken: string;
  refreshToken: string | null;
  expiresAt: number;
}

/** What must be kept in the tab while the user is at the login. */
export interface LoginState {
  state: string;
  verifier: string;
}

/** Return the address of the login, and what to keep until the user comes back. */
export async function beginLogin(cognito: Cognito, pageUrl: string): Promise<{ url: string; kept: LoginState }> {
  const kept = { state: randomText(), verifier: randomText() };
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(kept.verifier));
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: cognito.clientId,
    redirect_uri: redirectUrl(pageUrl),
    scope: 'openid',
    state: kept.state,
    code_challenge_method: 'S256',
    code_challenge: base64Url(new Uint8Array(digest)),
  });
  return { url: `https://${cognito.domain}/oauth2/authorize?${query}`, kept };
}

/**
 * Return the tokens if the page was opened by the login; null if it was opened otherwise. Throws if the login failed, or
 * if its answer does not belong to a login of this tab.
 */
export async function endLogin(cognito: Cognito, pageUrl: string, kept: LoginState | null): Promise<Tokens | null> {
  const query = new URL(pageUrl).searchParams;
  if (query.has('error')) throw new Error(query.get('error_description') ?? query.get('error')!);
  const code = query.get('code');
  if (!code) return null;
  if (!kept || kept.state !== query.get('state')) throw new Error('the answer belongs to another login');
  return requestTokens(cognito, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUrl(pageUrl),
    code_verifier: kept.verifier,
  });
}

/** Return fresh tokens. */
export async function refreshTokens(cognito: Cognito, refreshToken: string): Promise<Tokens> {
  const tokens = await requestTokens(cognito, { grant_type: 'refresh_token', refresh_token: refreshToken });
  return { ...tokens, refreshToken: tokens.refreshToken ?? refreshToken };
}

/** Return the address that ends the login at Cognito and comes back to the page. */
export function logoutUrl(cognito: Cognito, pageUrl: string): string {
  const query = new URLSearchParams({ client_id: cognito.clientId, logout_uri: redirectUrl(pageUrl) });
  return `https://${cognito.domain}/logout?${query}`;
}

/** Return the user's id in a token, or null. The token is not verified here: the API does that. */
export function subjectOf(idToken: string): string | null {
  try {
    return JSON.parse(atob(idToken.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).sub ?? null;
  } catch {
    return null;
  }
}

/** The page's address without query and hash; it must be among the client's callback addresses. */
function redirectUrl(pageUrl: string): string {
  const { origin, pathname } = new URL(pageUrl);
  return origin + pathname;
}

async function requestTokens(cognito: Cognito, grant: Record<string, string>): Promise<Tokens> {
  const response = await fetch(`https://${cognito.domain}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({ ...grant, client_id: cognito.clientId }),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok || !answer.id_token)
    throw new Error(`the login refused: ${answer.error ?? `HTTP status ${response.status}`}`);
  return {
    idToken: answer.id_token,
    refreshToken: answer.refresh_token ?? null,
    expiresAt: Date.now() + 1000 * Number(answer.expires_in ?? 3600),
  };
}

function randomText(): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}
