/** Rules of a review: keys, names of reviewers and classes, marks, and the next clip. */
import type { Judged } from './verdict-queue.ts';

/** Longest name of a reviewer or of a class. */
export const LONGEST_NAME = 60;

/**
 * Return a name that no spreadsheet takes for a formula: it begins with a letter or a digit and has no line breaks. It is
 * in the Unicode form in which the service stores names, so that a name is found again however it was typed.
 */
export function cleanName(text: string): string {
  return text
    .normalize('NFC')
    .replace(/[\p{C};\u2028\u2029]+/gu, ' ')
    .replace(/^[^\p{L}\p{N}]+/u, '')
    .trim()
    .slice(0, LONGEST_NAME);
}

export type Action =
  | { kind: 'judge'; verdict: 'yes' | 'no' | 'unsure'; calls: number | null }
  | { kind: 'other' | 'clear' | 'play' | 'zoom' | 'mark-start' | 'mark-stop' | 'previous' | 'next' };

/** Return what a key does in a review, or null. */
export function actionOf(key: string): Action | null {
  if (/^[1-9]$/.test(key)) return { kind: 'judge', verdict: 'yes', calls: Number(key) };
  switch (key.length === 1 ? key.toLowerCase() : key) {
    case 'y':
      return { kind: 'judge', verdict: 'yes', calls: null };
    case 'n':
      return { kind: 'judge', verdict: 'no', calls: null };
    case 'u':
      return { kind: 'judge', verdict: 'unsure', calls: null };
    case 'o':
      return { kind: 'other' };
    case 'Backspace':
      return { kind: 'clear' };
    case ' ':
      return { kind: 'play' };
    case 'z':
      return { kind: 'zoom' };
    case '[':
      return { kind: 'mark-start' };
    case ']':
      return { kind: 'mark-stop' };
    case 'ArrowLeft':
      return { kind: 'previous' };
    case 'ArrowRight':
      return { kind: 'next' };
    default:
      return null;
  }
}

/** Return a verdict with another answer; the mark of a call is kept unless there is none. */
export function judgedAs(before: Judged | null, verdict: string, calls: number | null): Judged {
  return { verdict, calls, mark: verdict === 'no' ? null : (before?.mark ?? null) };
}

/** Return a verdict with the mark of a call. Who marks a call says that there is one, so a missing verdict and `no` become yes. */
export function markedAs(before: Judged | null, mark: [start: number, stop: number]): Judged {
  const absent = before === null || before.verdict === 'no';
  return absent ? { verdict: 'yes', calls: null, mark } : { ...before, mark };
}

/**
 * Return a mark in samples, within the sound that is shown; null if nothing is left of it.
 *
 * @param sound begin and end of the sound, in seconds. Its end may lie between two samples, and the recording has no later one
 * @param rate samples in a second
 */
export function markOf(start: number, stop: number, sound: { begins: number; ends: number }, rate: number): [start: number, stop: number] | null {
  const least = Math.ceil(sound.begins * rate - 1e-6);
  const most = Math.floor(sound.ends * rate + 1e-6);
  const [from, to] = [start, stop].map((edge) => Math.min(Math.max(Math.round(edge * rate), least), most));
  return to > from ? [from, to] : null;
}

/**
 * Return a mark after one edge was put to `now`, in seconds; null if the other edge would not lie beyond it.
 *
 * @param before the mark so far, or else the frame, whose other edge is then taken
 */
export function withEdge(edge: 'start' | 'stop', now: number, before: [start: number, stop: number]): [start: number, stop: number] | null {
  const [start, stop] = edge === 'start' ? [now, before[1]] : [before[0], now];
  return start < stop ? [start, stop] : null;
}

/** Return the place of the next unit without a verdict, searched from the one after `at`, round to it; null if none. */
export function nextOpen(judged: readonly boolean[], at: number): number | null {
  for (let step = 1; step <= judged.length; step += 1) {
    const index = (at + step) % judged.length;
    if (!judged[index]) return index;
  }
  return null;
}
