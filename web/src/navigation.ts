/** Navigation by `location.hash`: a static host needs no rule for it, and the browser's history works. */
import { signal } from '@preact/signals';

export type Route =
  | { screen: 'start' }
  | { screen: 'executions' }
  | { screen: 'execution'; id: string }
  | { screen: 'review'; id: string }
  | { screen: 'uploads' }
  | { screen: 'unknown' };

/** Return the screen that a hash names, for example `#/executions/e-1/review`. */
export function parseHash(hash: string): Route {
  const [path] = hash.replace(/^#\/?/, '').split('?');
  const [first = '', id = '', last = '', ...more] = path.split('/').map(decode);
  if (more.length) return { screen: 'unknown' };
  if (!first) return { screen: 'start' };
  if (first === 'uploads' && !id) return { screen: 'uploads' };
  if (first !== 'executions') return { screen: 'unknown' };
  if (!id) return { screen: 'executions' };
  if (!last) return { screen: 'execution', id };
  return last === 'review' ? { screen: 'review', id } : { screen: 'unknown' };
}

/** Addresses of the screens, for links. */
export const links = {
  start: '#/',
  executions: '#/executions',
  execution: (id: string) => `#/executions/${encodeURIComponent(id)}`,
  review: (id: string) => `#/executions/${encodeURIComponent(id)}/review`,
  uploads: '#/uploads',
};

/** The screen that is shown. */
export const route = signal<Route>({ screen: 'start' });

/** Follow `location.hash` from now on. */
export function followHash(): void {
  const follow = () => (route.value = parseHash(location.hash));
  addEventListener('hashchange', follow);
  follow();
}

/** Go to a screen. */
export function goTo(link: string): void {
  location.hash = link;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a lone % that somebody typed
  }
}
