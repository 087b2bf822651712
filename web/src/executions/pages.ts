/** Lists that the API gives in pages. */
import { useEffect, useState } from 'preact/hooks';

interface Page<T> {
  items: T[];
  /** Whether there are more. */
  more: boolean;
}

/** Load a list page by page; `reload` begins again with the first. */
export function usePages<T extends { id: string }>(
  load: (from: string | undefined, signal?: AbortSignal) => Promise<Page<T>>,
  dependencies: unknown[],
) {
  const [page, setPage] = useState<Page<T> | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(true);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    setBusy(true);
    load(undefined, controller.signal)
      .then(
        (first) => !controller.signal.aborted && (setPage(first), setError(null)),
        (reason) => !controller.signal.aborted && setError(reason),
      )
      .finally(() => !controller.signal.aborted && setBusy(false));
    return () => controller.abort();
  }, [...dependencies, round]);
  const loadMore = async () => {
    setBusy(true);
    try {
      // If all have been removed, the first page is what is older.
      const next = await load(page!.items.at(-1)?.id);
      setPage({ items: [...page!.items, ...next.items], more: next.more });
      setError(null);
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  };
  const removed = (id: string) =>
    setPage((before) => before && { ...before, items: before.items.filter((item) => item.id !== id) });
  return { page, error, busy, reload: () => setRound((before) => before + 1), loadMore, removed };
}
