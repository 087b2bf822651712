/**
 * Who uses the page: an API key, or the tokens of a Cognito login. They are kept in `sessionStorage`, which belongs to
 * this tab and ends with it (a browser that restores a closed tab restores it too), and are sent to the API only.
 */
import { computed, signal } from '@preact/signals';
import { Anemonefish } from './client.ts';
import { beginLogin, endLogin, logoutUrl, refreshTokens, subjectOf } from './cognito.ts';
import type { LoginState, Tokens } from './cognito.ts';
import type { PageConfig } from './config.ts';
import { hexOf } from './format.ts';

const STORED = 'anemonefish.session';
const LOGIN = 'anemonefish.login';
/** Tokens are renewed this long (ms) before they expire. */
const RENEW_BEFORE_END_MS = 60_000;

export type Session = { kind: 'api-key'; key: string } | ({ kind: 'cognito' } & Tokens);

/** The configuration of the page; set once at start. */
export const config = signal<PageConfig | null>(null);

/** The session of this tab, or null when nobody is signed in. */
export const session = signal<Session | null>(readStored<Session>(STORED));

/** Called at sign-out, to stop and forget what belongs to the user. */
const atSignOut = new Set<() => Promise<void>>();

/** Whether somebody is signed in; it does not change when tokens are renewed. */
const user = computed(() => {
  const { value } = session;
  return value?.kind === 'api-key' ? value.key : (value?.kind ?? null);
});

/** The client of the signed-in user, or null. */
export const client = computed<Anemonefish | null>(() => {
  if (!config.value || !user.value) return null;
  const { apiUrl } = config.value;
  const current = session.peek()!;
  if (current.kind === 'api-key') return new Anemonefish({ url: apiUrl, key: current.key });
  return new Anemonefish({ url: apiUrl, headers: async () => ({ authorization: await freshToken() }) });
});

/** Load the session for a configuration, and end a login that led back to this page. */
export async function openSession(loaded: PageConfig): Promise<void> {
  config.value = loaded;
  if (session.value && session.value.kind !== loaded.signIn) store(null);
  if (loaded.signIn !== 'cognito') return;
  const kept = readStored<LoginState>(LOGIN);
  sessionStorage.removeItem(LOGIN);
  const pageUrl = location.href;
  if (new URL(pageUrl).search) history.replaceState(null, '', location.pathname + location.hash); // the code works once
  const tokens = await endLogin(loaded.cognito!, pageUrl, kept);
  if (tokens) store({ kind: 'cognito', ...tokens });
}

/** Check a key with the API, and sign in. Throws the client's error if the API refuses it. */
export async function signInWithKey(key: string): Promise<void> {
  await new Anemonefish({ url: config.value!.apiUrl, key }).usage();
  store({ kind: 'api-key', key });
}

/** Go to the hosted login; it leads back to the page. */
export async function goToLogin(): Promise<void> {
  const { url, kept } = await beginLogin(config.value!.cognito!, location.href);
  sessionStorage.setItem(LOGIN, JSON.stringify(kept));
  location.assign(url);
}

/**
 * Return a name for the signed-in user, which tells users of this browser apart: the start of the SHA-256 of the key,
 * from which nobody can compute it, or of the user's id in the token.
 */
export async function userName(): Promise<string> {
  const current = session.peek();
  const text = current?.kind === 'cognito' ? (subjectOf(current.idToken) ?? '') : (current?.key ?? '');
  if (!crypto.subtle) return '';
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return hexOf(new Uint8Array(digest, 0, 8));
}

/** End the session because the API no longer accepts it; what the page remembers stays for the next sign-in. */
export function endSession(): void {
  store(null);
}

/** Forget the key or the tokens, and everything that the page remembers of the user. */
export async function signOut(): Promise<void> {
  const { kind } = session.value ?? {};
  await Promise.allSettled([...atSignOut].map((end) => end()));
  sessionStorage.clear();
  store(null);
  location.hash = '#/';
  if (kind === 'cognito') location.assign(logoutUrl(config.value!.cognito!, location.href));
}

/** Have work done at sign-out. */
export function onSignOut(end: () => Promise<void>): void {
  atSignOut.add(end);
}

let renewing: Promise<void> | null = null;

/** Return a token that is valid; several requests at a time renew it once. */
async function freshToken(): Promise<string> {
  const current = session.peek();
  if (current?.kind !== 'cognito') return '';
  if (current.expiresAt - RENEW_BEFORE_END_MS < Date.now() && current.refreshToken) {
    renewing ??= refreshTokens(config.peek()!.cognito!, current.refreshToken)
      .then((tokens) => {
        if (session.peek() === current) store({ kind: 'cognito', ...tokens }); // else signed out meanwhile
      })
      .finally(() => (renewing = null));
    await renewing.catch(() => {}); // the API then refuses the old token, and says so
  }
  const renewed = session.peek();
  return renewed?.kind === 'cognito' ? renewed.idToken : '';
}

function store(next: Session | null): void {
  if (next) sessionStorage.setItem(STORED, JSON.stringify(next));
  else sessionStorage.removeItem(STORED);
  session.value = next;
}

function readStored<T>(name: string): T | null {
  try {
    return JSON.parse(sessionStorage.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}
