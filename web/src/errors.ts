/** Errors of the client as sentences for a user: what happened, and what to do. */
import { AnemonefishError } from './client.ts';
import { capital } from './format.ts';
import { texts } from './texts.ts';

export interface Explanation {
  /** What happened, in a few words. */
  title: string;
  /** What to do about it, or more about what happened. */
  text: string;
  /** The API's id of the request, to give to whoever runs the service. */
  requestId: string | null;
}

/** Return what a user reads about an error. The API's own message is kept, because it names the file or the field. */
export function explain(error: unknown): Explanation {
  if (!(error instanceof AnemonefishError)) {
    return {
      title: texts.errors.unexpected,
      text: error instanceof Error ? error.message : String(error),
      requestId: null,
    };
  }
  return { ...explainReason(error), requestId: error.requestId };
}

/** Return what a user reads about the error of an execution or of a recording. */
export function explainReason({ error, message }: { error: string; message: string }): { title: string; text: string } {
  const known = texts.errors.byName[error];
  if (!known) return { title: texts.errors.refused, text: `${error}: ${message}` };
  const says = known.says && message ? texts.errors.serviceSays(message) : '';
  return { title: known.title, text: [known.text, says].filter(Boolean).join(' ') };
}

/** Return the service's message on a recording without the name of the recording, with which it begins. */
export function withoutName(message: string, name: string): string {
  return message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
}

/**
 * Return what is wrong with a recording, in the words of the service, and what to do about it.
 *
 * @param name of the recording, with which the message begins
 */
export function explainRecording(name: string, { error, message }: { error: string; message: string }): string {
  const sentence = capital(withoutName(message, name));
  const advice = texts.errors.byName[error]?.text;
  return [/[.!?]$/.test(sentence) ? sentence : `${sentence}.`, advice].filter(Boolean).join(' ');
}

/** Say whether the API no longer accepts the key or the login. */
export function isSignedOut(error: unknown): boolean {
  return error instanceof AnemonefishError && error.error === 'NotAllowed';
}

/** Errors of a recording that are the service's and not the file's: resume computes these again. */
export const SYSTEM_ERRORS = ['StorageError', 'RangeFailed', 'FunctionFailed'];

/** Say whether an error means that somebody stopped the work on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
