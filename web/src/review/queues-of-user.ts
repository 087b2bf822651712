/** The verdicts of the signed-in user that the service does not have yet. */
import { effect, untracked } from '@preact/signals';
import { AnemonefishError } from '../client.ts';
import { client, onSignOut, userName } from '../session.ts';
import { VerdictQueues } from './verdict-queues.ts';

/** Sign-out waits this long (ms) for verdicts on their way. Those that do not arrive stay for the next sign-in. */
const LAST_WAIT_MS = 3000;

export const verdictQueues = new VerdictQueues({ keeper: localKeeper(), kindOf });

/** Follow the session and the connection from now on. */
export function followVerdicts(): void {
  effect(() => {
    const { value } = client;
    untracked(() => verdictQueues.signOut());
    if (!value) return;
    void userName().then((name) => {
      if (client.peek() !== value) return; // signed out meanwhile
      verdictQueues.signIn(name, (id, reviewer, verdicts) => value.putVerdicts(id, { reviewer, verdicts }));
    });
  });
  onSignOut(async () => {
    const end = new Promise<void>((resolve) => setTimeout(resolve, LAST_WAIT_MS));
    await Promise.race([verdictQueues.flush(), end]);
  });
  const flush = () => void verdictQueues.flush();
  addEventListener('online', flush);
  document.addEventListener('visibilitychange', flush);
  addEventListener('beforeunload', (event) => {
    flush();
    if (verdictQueues.atRisk) event.preventDefault(); // the browser asks whether to leave
  });
}

/** Return the storage of this browser, or null where it is forbidden. */
export function localKeeper(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function kindOf(problem: unknown): 'passing' | 'content' | 'access' {
  if (!(problem instanceof AnemonefishError)) return 'access';
  if (problem.status === 0 || problem.status === 429 || problem.status >= 500) return 'passing';
  return problem.status === 400 || problem.error === 'RecordingNotFound' ? 'content' : 'access';
}
