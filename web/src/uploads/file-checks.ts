/**
 * Which files can be uploaded, checked before a byte is sent. The limits are those of the API (limits.json; a test
 * compares them with the package).
 */
import limits from './limits.json' with { type: 'json' };

/** Why a file is left out. */
export type LeftOutReason =
  'hidden' | 'system' | 'not-audio' | 'empty' | 'too-large' | 'name' | 'duplicate' | 'unreadable';

/** A file that was chosen and is not uploaded. */
export interface LeftOut {
  path: string;
  reason: LeftOutReason;
}

/** Extensions of recordings for the `accept` of a file input. */
export const ACCEPT = limits.extensions.map((extension) => `.${extension}`).join(',');

/** Largest number of recordings of one execution. */
export const MOST_RECORDINGS = limits.mostRecordings;

/**
 * Return why a file cannot be uploaded, or null.
 *
 * @param path with its folders, separated by `/`
 * @param size in bytes
 */
export function checkFile(path: string, size: number): LeftOutReason | null {
  const ignored = checkIgnored(path);
  if (ignored) return ignored;
  const name = path.slice(path.lastIndexOf('/') + 1);
  const extension = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  if (!name.includes('.') || !limits.extensions.includes(extension)) return 'not-audio';
  if (name.length > limits.longestName || /[\\\u0000-\u001f\u007f-\u009f]/.test(name)) return 'name';
  if (size === 0) return 'empty';
  return size > limits.mostBytes ? 'too-large' : null;
}

/** Return why a file or a folder is ignored whatever it holds, or null. */
export function checkIgnored(path: string): 'hidden' | 'system' | null {
  const parts = path.split('/');
  if (parts.some((part) => part.startsWith('.'))) return 'hidden';
  return parts.some((part) => limits.systemNames.includes(part.toLowerCase())) ? 'system' : null;
}
