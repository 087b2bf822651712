/** One execution: its progress while it runs, its results when it has succeeded. */
import { useEffect, useState } from 'preact/hooks';
import type { Anemonefish, Execution } from '../client.ts';
import { ResultsScreen } from '../results/results-screen.tsx';
import { texts } from '../texts.ts';
import { Busy, ErrorNotice, Screen } from '../ui.tsx';

export function ExecutionScreen({ client, id }: { client: Anemonefish; id: string }) {
  const [execution, setExecution] = useState<Execution | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const stop = new AbortController();
    client.wait(id, { onProgress: setExecution, signal: stop.signal }).catch((reason) => {
      if (!stop.signal.aborted) setError(reason);
    });
    return () => stop.abort();
  }, [client, id]);
  if (execution?.status === 'SUCCEEDED') return <ResultsScreen client={client} execution={execution} />;
  return (
    <Screen title={texts.app.executions}>
      {error ? <ErrorNotice error={error} /> : <Busy />}
      {execution && <p>{execution.status}</p>}
    </Screen>
  );
}
