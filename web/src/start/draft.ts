/** What is being prepared on the start screen, kept in the tab over a reload. */
import { hexOf } from '../format.ts';
import { DEFAULTS } from './settings.ts';
import type { SettingsForm } from './settings.ts';

const DRAFT = 'anemonefish.draft';
const START = 'anemonefish.start';

export interface Draft {
  model: string;
  form: SettingsForm;
}

export function readDraft(storage: Storage = sessionStorage): Draft {
  const stored = parse(storage.getItem(DRAFT));
  return { model: stored?.model ?? '', form: { ...DEFAULTS, ...stored?.form } };
}

export function writeDraft(draft: Draft, storage: Storage = sessionStorage): void {
  storage.setItem(DRAFT, JSON.stringify(draft));
}

/**
 * Return the idempotency key for a request to start. The same request has the same key until it was answered, also after
 * a reload, so that a double click or a lost answer does not start two executions.
 */
export function startKey(request: object, storage: Storage = sessionStorage): string {
  const body = JSON.stringify(request);
  const stored = parse(storage.getItem(START));
  if (stored?.body === body) return stored.key;
  const key = hexOf(crypto.getRandomValues(new Uint8Array(16)));
  storage.setItem(START, JSON.stringify({ body, key }));
  return key;
}

/** The start was answered: the same request is a new execution the next time. */
export function forgetStartKey(storage: Storage = sessionStorage): void {
  storage.removeItem(START);
}

function parse(text: string | null) {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}
