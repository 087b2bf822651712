/**
 * Who uses the page: an API key, or the tokens of a Cognito login. They are kept in `sessionStorage`, which belongs to
 * this tab and ends with it, and are sent to the API only.
 */
import { computed, signal } from '@preact/signals';
import { Anemonefish } from './client.ts';
import type { PageConfig } from './config.ts';

const STORED = 'anemonefish.session';

export type Session = { kind: 'api-key'; key: string };

/** The configuration of the page; set once at start. */
export const config = signal<PageConfig | null>(null);

/** The session of this tab, or null when nobody is signed in. */
export const session = signal<Session | null>(readStored());

/** The client of the signed-in user, or null. */
export const client = computed<Anemonefish | null>(() =>
  config.value && session.value ? new Anemonefish({ url: config.value.apiUrl, key: session.value.key }) : null,
);

/** Check a key with the API, and sign in. Throws the client's error if the API refuses it. */
export async function signInWithKey(key: string): Promise<void> {
  if (!config.value) throw new Error('the configuration is not loaded');
  await new Anemonefish({ url: config.value.apiUrl, key }).models();
  store({ kind: 'api-key', key });
}

/** Forget the key. */
export function signOut(): void {
  store(null);
}

function store(next: Session | null): void {
  if (next) sessionStorage.setItem(STORED, JSON.stringify(next));
  else sessionStorage.removeItem(STORED);
  session.value = next;
}

function readStored(): Session | null {
  try {
    const stored = JSON.parse(sessionStorage.getItem(STORED) ?? 'null');
    return typeof stored?.key === 'string' ? stored : null;
  } catch {
    return null;
  }
}
