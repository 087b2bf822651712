/** Errors of the client as sentences for a user: what happened, and what to do. */
import { AnemonefishError } from './client.ts';
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
    return { title: texts.errors.unexpected, text: error instanceof Error ? error.message : String(error), requestId: null };
  }
  const known = texts.errors.byName[error.error];
  return {
    title: known?.title ?? texts.errors.refused,
    text: known?.text ?? `${error.error}: ${error.message}`,
    requestId: error.requestId,
  };
}

/** Say whether an error means that somebody stopped the work on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
