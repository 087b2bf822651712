/** What several tests use. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ListedKeeper } from '../src/review/verdict-queues.ts';

/** A storage like `localStorage`. */
export class Memory implements ListedKeeper {
  readonly items = new Map<string, string>();
  full = false;
  get length() {
    return this.items.size;
  }
  key = (index: number) => [...this.items.keys()][index] ?? null;
  getItem = (key: string) => this.items.get(key) ?? null;
  removeItem = (key: string) => void this.items.delete(key);
  setItem = (key: string, value: string) => {
    if (this.full) throw new Error('QuotaExceededError');
    this.items.set(key, value);
  };
  clear = () => this.items.clear();
}

/** Define a global `sessionStorage`, before modules are imported that read it. */
export function stubSessionStorage(): Memory {
  const value = new Memory();
  Object.defineProperty(globalThis, 'sessionStorage', { value, writable: true });
  return value;
}

/** Wait for something that must happen, however slow the machine is. */
export async function until(happened: () => boolean): Promise<void> {
  for (let tries = 0; !happened() && tries < 500; tries += 1) await sleep(5);
  assert.ok(happened());
}

/** Return a stretch of the first recording. */
export const stretch = (number: number) => ({ recording: 0, start_sample: number, stop_sample: number + 10, class: 'anemonefish' });
