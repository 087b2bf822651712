/** The uploads of the user: choose some for an execution, or delete them. */
import { useRef, useState } from 'preact/hooks';
import type { Anemonefish } from '../client.ts';
import { formatBytes, formatMoment } from '../format.ts';
import { goTo, links } from '../navigation.ts';
import { texts } from '../texts.ts';
import { announce, Busy, EmptyList, ErrorNotice, Screen, useLoad } from '../ui.tsx';
import { uploadQueue } from '../uploads/queue-of-user.ts';
import { usePages } from './pages.ts';

interface UploadSummary {
  id: string;
  filename: string;
  size: number;
  status: 'OPEN' | 'COMPLETE' | 'EXPIRED';
  created_at: string;
  expires_at: string;
}

const PAGE = 50;
const TONES = { OPEN: 'info', COMPLETE: 'success', EXPIRED: 'warning' };

export function UploadsScreen({ client }: { client: Anemonefish }) {
  const list = usePages<UploadSummary>(
    async (from, signal) => {
      const { uploads, next } = await client.uploads({ limit: PAGE, from, signal });
      return { items: uploads, more: next !== null };
    },
    [client],
  );
  const usage = useLoad((signal) => client.usage({ signal }), [client]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [error, setError] = useState<unknown>(null);
  const [toDelete, setToDelete] = useState<UploadSummary | null>(null);
  const dialog = useRef<HTMLDialogElement>(null);

  const choose = (id: string, on: boolean) =>
    setChosen(new Set(on ? [...chosen, id] : [...chosen].filter((other) => other !== id)));
  const start = async () => {
    await uploadQueue.value?.addUploads(list.page!.items.filter(({ id }) => chosen.has(id)));
    goTo(links.start);
  };
  const remove = async () => {
    dialog.current?.close();
    const { id, filename } = toDelete!;
    try {
      await client.deleteUpload(id);
      choose(id, false);
      list.removed(id);
      document.querySelector<HTMLElement>('#content h1')?.focus(); // the button that had the focus is gone
      announce(texts.uploads.deleted(filename));
      usage.reload();
      setError(null);
    } catch (reason) {
      setError(reason);
    }
  };
  return (
    <Screen title={texts.uploads.title}>
      {usage.value && (
        <p class="muted">{texts.uploads.usage(usage.value.stored_bytes.used, usage.value.stored_bytes.limit)}</p>
      )}
      {error !== null && <ErrorNotice error={error} />}
      {list.error !== null && <ErrorNotice error={list.error} retry={list.reload} />}
      {list.page?.items.length === 0 && !list.page.more && <EmptyList text={texts.uploads.empty} />}
      {list.page && list.page.items.length > 0 && (
        <>
          <div class="actions">
            <button type="button" class="primary" disabled={!chosen.size} onClick={() => void start()}>
              {texts.uploads.use(chosen.size)}
            </button>
          </div>
          <div class="card flush">
            <table class="rows cards uploads">
              <thead>
                <tr>
                  <th>
                    <span class="visually-hidden">{texts.uploads.select('')}</span>
                  </th>
                  <th scope="col">{texts.uploads.file}</th>
                  <th scope="col" class="number">
                    {texts.uploads.size}
                  </th>
                  <th scope="col">{texts.uploads.status}</th>
                  <th scope="col">{texts.uploads.created}</th>
                  <th scope="col">{texts.uploads.kept}</th>
                  <th>
                    <span class="visually-hidden">{texts.uploads.remove}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.page.items.map((upload) => (
                  <tr key={upload.id}>
                    <td class="select">
                      <input
                        type="checkbox"
                        aria-label={texts.uploads.select(upload.filename)}
                        disabled={upload.status !== 'COMPLETE'}
                        checked={chosen.has(upload.id)}
                        onChange={(event) => choose(upload.id, event.currentTarget.checked)}
                      />
                    </td>
                    <td class="name">{upload.filename}</td>
                    <td class="number" data-label={texts.uploads.size}>
                      {formatBytes(upload.size)}
                    </td>
                    <td data-label={texts.uploads.status}>
                      <span class={`badge ${TONES[upload.status]}`}>{texts.uploads.states[upload.status]}</span>
                    </td>
                    <td data-label={texts.uploads.created}>
                      <time dateTime={upload.created_at}>{formatMoment(upload.created_at)}</time>
                    </td>
                    <td data-label={texts.uploads.kept}>
                      <time dateTime={upload.expires_at}>{formatMoment(upload.expires_at)}</time>
                    </td>
                    <td class="row-actions">
                      <button
                        type="button"
                        class="small quiet"
                        aria-label={texts.uploads.removeOne(upload.filename)}
                        onClick={() => {
                          setToDelete(upload);
                          dialog.current?.showModal();
                        }}
                      >
                        {texts.uploads.remove}
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
      {list.busy && !list.page && <Busy />}
      <div class="actions">
        {list.page?.more && (
          <button type="button" disabled={list.busy} onClick={() => void list.loadMore()}>
            {texts.uploads.older}
          </button>
        )}
      </div>
      <dialog ref={dialog} aria-labelledby="delete-question">
        <p id="delete-question" class="name">
          {toDelete && texts.uploads.confirm(toDelete.filename)}
        </p>
        <div class="actions">
          <button type="button" autofocus onClick={() => dialog.current?.close()}>
            {texts.uploads.confirmNo}
          </button>
          <button type="button" class="danger" onClick={() => void remove()}>
            {texts.uploads.confirmYes}
          </button>
        </div>
      </dialog>
    </Screen>
  );
}
