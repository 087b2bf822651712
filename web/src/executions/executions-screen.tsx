/** The executions of the user, newest first. */
import { useEffect } from 'preact/hooks';
import type { Anemonefish, ErrorReason, Model } from '../client.ts';
import { explainReason } from '../errors.ts';
import { formatMoment, formatNumber, formatTimeOfDay } from '../format.ts';
import { links } from '../navigation.ts';
import { texts } from '../texts.ts';
import { Busy, EmptyList, ErrorNotice, Screen } from '../ui.tsx';
import { usePages } from './pages.ts';
import { StatusBadge } from './status-badge.tsx';
import type { Status } from './status-badge.tsx';

interface Summary {
  id: string;
  status: Status;
  model: Model;
  recordings: number;
  created_at: string;
  finished_at: string | null;
  error: ErrorReason | null;
}

const PAGE = 20;
/** While an execution of the first page runs, the list is loaded again this often, in ms. */
const REFRESH_MS = 15_000;

export function ExecutionsScreen({ client }: { client: Anemonefish }) {
  const list = usePages<Summary>(
    async (from, signal) => {
      const { executions, next } = await client.list({ limit: PAGE, from, signal });
      return { items: executions as Summary[], more: next !== null };
    },
    [client],
  );
  const running =
    list.page?.items.length! <= PAGE &&
    list.page!.items.some(({ status }) => status === 'PENDING' || status === 'RUNNING');
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => document.hidden || list.reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [running]);
  return (
    <Screen title={texts.executions.title}>
      {list.error !== null && <ErrorNotice error={list.error} retry={list.reload} />}
      {list.page?.items.length === 0 && <EmptyList text={texts.executions.empty} />}
      {list.page && list.page.items.length > 0 && (
        <div class="card flush">
          <table class="rows cards">
            <thead>
              <tr>
                <th scope="col">{texts.executions.started}</th>
                <th scope="col">{texts.executions.status}</th>
                <th scope="col" class="number">
                  {texts.executions.recordings}
                </th>
                <th scope="col">{texts.executions.model}</th>
                <th scope="col">{texts.executions.ended}</th>
              </tr>
            </thead>
            <tbody>
              {list.page.items.map((one) => (
                <tr key={one.id}>
                  <td>
                    <a href={links.execution(one.id)}>
                      <time dateTime={one.created_at}>{formatMoment(one.created_at)}</time>
                    </a>
                    {one.error && <p class="row-error">{explainReason(one.error).title}</p>}
                  </td>
                  <td data-label={texts.executions.status}>
                    <StatusBadge status={one.status} />
                  </td>
                  <td class="number" data-label={texts.executions.recordings}>
                    {formatNumber(one.recordings, 0)}
                  </td>
                  <td data-label={texts.executions.model}>
                    {one.model.name} {one.model.version}
                  </td>
                  <td data-label={texts.executions.ended}>
                    {one.finished_at ? (
                      <time dateTime={one.finished_at}>
                        {formatTimeOfDay(one.finished_at, new Date(one.created_at))}
                      </time>
                    ) : (
                      '–'
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {list.busy && !list.page && <Busy />}
      <div class="actions">
        {list.page?.more && (
          <button type="button" disabled={list.busy} onClick={() => void list.loadMore()}>
            {texts.executions.older}
          </button>
        )}
        {list.page && (
          <button type="button" class="quiet" disabled={list.busy} onClick={list.reload}>
            {texts.executions.refresh}
          </button>
        )}
      </div>
    </Screen>
  );
}
