/** An execution that is followed until it has ended. */
import { useEffect, useState } from 'preact/hooks';
import { AnemonefishError } from '../client.ts';
import type { Anemonefish, Execution } from '../client.ts';

const ENDED = ['SUCCEEDED', 'FAILED', 'CANCELLED'];

/**
 * Follow an execution. `interruption` is `NotStarted` or `NetworkError` while the page goes on asking; `error` ends it.
 *
 * @param round a new number begins again, after cancel and resume
 */
export function useExecution(client: Anemonefish, id: string, round: number) {
  const [execution, setExecution] = useState<Execution | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [interruption, setInterruption] = useState<string | null>(null);
  useEffect(() => {
    const controller = new AbortController();
    setError(null);
    const follow = async () => {
      let last: Execution | null = null;
      const onProgress = (now: Execution) => {
        last = now;
        setExecution(now);
        setInterruption(null);
      };
      for (;;) {
        try {
          await client.wait(id, { onProgress, signal: controller.signal });
          return;
        } catch (reason) {
          if (controller.signal.aborted || ENDED.includes((last as Execution | null)?.status ?? '')) return;
          const interrupted =
            reason instanceof AnemonefishError && last && ['NotStarted', 'NetworkError'].includes(reason.error);
          if (!interrupted) return setError(reason);
          setInterruption(reason.error);
        }
      }
    };
    void follow();
    return () => controller.abort();
  }, [client, id, round]);
  return { execution, error, interruption, setExecution };
}
