/** The chosen files with their progress, and what the user can do about each. */
import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { explain } from '../errors.ts';
import { formatBytes, formatCount } from '../format.ts';
import { texts } from '../texts.ts';
import { announce, Notice, ProgressBar } from '../ui.tsx';
import type { UploadItem, UploadQueue } from './upload-queue.ts';

export function UploadList({ queue }: { queue: UploadQueue }) {
  const items = queue.items.value;
  return (
    <>
      <Checking queue={queue} />
      <Reconnect queue={queue} />
      <LeftOutFiles queue={queue} />
      {items.length > 0 && (
        <>
          <TotalProgress queue={queue} />
          <div class="scroll" tabIndex={0} role="region" aria-label={texts.start.list}>
            <table class="rows files">
              <thead>
                <tr>
                  <th scope="col">{texts.start.name}</th>
                  <th scope="col" class="number">
                    {texts.start.size}
                  </th>
                  <th scope="col">{texts.start.state}</th>
                  <th>
                    <span class="visually-hidden">{texts.start.remove('')}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {items.map((item) => (
                  <Row key={item.record.identity} item={item} queue={queue} />
                ))}
              </tbody>
            </table>
          </div>
        </>
      )}
    </>
  );
}

function Checking({ queue }: { queue: UploadQueue }) {
  const { value } = queue.checking;
  return value > 0 ? <p class="busy">{texts.start.checking(value)}</p> : null;
}

function Row({ item, queue }: { item: UploadItem; queue: UploadQueue }) {
  const { name, size } = item.record;
  const state = item.state.value;
  const error = item.error.value;
  const otherName = state === 'complete' ? queue.otherNames.value.get(item.record.uploadId!) : undefined;
  const remove = (event: Event) => {
    const row = (event.currentTarget as HTMLElement).closest('tr')!;
    const next = (row.nextElementSibling ?? row.previousElementSibling)?.querySelector<HTMLElement>('button.icon');
    void queue.remove(item);
    next?.focus(); // else the focus would be lost with the row
  };
  return (
    <tr class={`upload-${state}`}>
      <td class="name">
        {item.folder && <span class="folder">{item.folder}/</span>}
        {name}
        {otherName && <p class="help">{texts.start.otherName(otherName)}</p>}
        {state === 'failed' && error !== null && <p class="row-error">{sentence(error)}</p>}
      </td>
      <td class="number">{formatBytes(size)}</td>
      <td class="state">
        {state === 'sending' ? (
          <ProgressBar value={item.sent.value} max={size} label={name} />
        ) : (
          <span class={`badge ${BADGES[state] ?? ''}`}>{texts.start.states[state]}</span>
        )}
      </td>
      <td class="row-actions">
        {state === 'failed' && item.file && (
          <button type="button" class="small" onClick={() => queue.retry(item)}>
            {texts.start.retry}
          </button>
        )}
        <button
          type="button"
          class="icon"
          aria-label={texts.start.remove(name)}
          title={texts.start.remove(name)}
          onClick={remove}
        >
          <Cross />
        </button>
      </td>
    </tr>
  );
}

const BADGES: Record<string, string> = {
  complete: 'success',
  failed: 'error',
  gone: 'warning',
  'file-needed': 'warning',
  'permission-needed': 'warning',
};

function sentence(error: unknown): string {
  const { title, text } = explain(error);
  return `${title}. ${text}`;
}

/** The progress of all files, with the rate of the last seconds. */
function TotalProgress({ queue }: { queue: UploadQueue }) {
  const items = queue.items.value;
  const total = sum(items, (item) => item.record.size);
  const sent = sum(items, (item) => item.sent.value);
  const done = items.filter((item) => item.state.value === 'complete').length;
  const rate = useRate(queue);
  const percent = total ? Math.floor((100 * sent) / total) : 0;
  const busy = queue.busy.value || queue.paused.value;
  const quarter = Math.floor(percent / 25) * 25;
  useEffect(() => {
    if (busy && quarter > 0 && quarter < 100) announce(texts.start.announceSent(quarter));
  }, [busy, quarter]);
  useEffect(() => {
    if (done && done === items.length) announce(texts.start.allSent(done));
  }, [done, items.length]);
  return (
    <div class="total">
      <div class="total-text">
        <span>{texts.start.summary(done, items.length, total)}</span>
        <span class="actions">
          {busy && (
            <button type="button" class="small" onClick={() => (queue.paused.value ? queue.resume() : queue.pause())}>
              {queue.paused.value ? texts.start.resume : texts.start.pause}
            </button>
          )}
          {items.length > 1 && (
            <button type="button" class="small quiet" onClick={() => void queue.removeAll()}>
              {texts.start.removeAll}
            </button>
          )}
        </span>
      </div>
      {busy && (
        <>
          <ProgressBar value={sent} max={total} label={texts.start.progress(sent, total)} />
          <p class="help">
            {texts.start.progress(sent, total)}
            {!queue.paused.value &&
              queue.online.value &&
              rate !== null &&
              ` · ${rate > 0 ? texts.start.rate(rate, (total - sent) / rate) : texts.start.stalled}`}
          </p>
        </>
      )}
    </div>
  );
}

/** What must be done after a reload or while the connection is broken. */
function Reconnect({ queue }: { queue: UploadQueue }) {
  const items = queue.items.value;
  const count = (...states: string[]) => items.filter((item) => states.includes(item.state.value)).length;
  const files = count('file-needed', 'gone');
  const permissions = count('permission-needed');
  return (
    <>
      {!queue.online.value && queue.busy.value && (
        <Notice tone="warning" title={texts.start.offline}>
          <p>{texts.start.offlineText}</p>
        </Notice>
      )}
      {!queue.remembers.value && (
        <Notice tone="warning" title={texts.start.notRemembered}>
          <p>{texts.start.notRememberedText}</p>
        </Notice>
      )}
      {permissions > 0 && (
        <Notice tone="info" title={texts.start.needPermission(permissions)}>
          <p>{texts.start.needPermissionText}</p>
          <button type="button" onClick={() => void queue.allow()}>
            {texts.start.allow}
          </button>
        </Notice>
      )}
      {files > 0 && (
        <Notice tone="warning" title={texts.start.needFiles(files)}>
          <p>{texts.start.needFilesText}</p>
        </Notice>
      )}
    </>
  );
}

function LeftOutFiles({ queue }: { queue: UploadQueue }) {
  const left = queue.leftOut.value;
  useSignalEffect(() => {
    const { length } = queue.leftOut.value;
    if (length) announce(texts.start.leftOut(length));
  });
  if (!left.length) return null;
  const important = left.some(({ reason }) => !['hidden', 'system', 'duplicate'].includes(reason));
  return (
    <details class={`notice ${important ? 'warning' : 'info'}`} open={left.length <= 5}>
      <summary>{texts.start.leftOut(left.length)}</summary>
      <ul class="left-out">
        {left.slice(0, 200).map(({ path, reason }) => (
          <li key={path}>
            <span class="name">{path}</span>: {texts.start.leftOutReasons[reason]}
          </li>
        ))}
        {left.length > 200 && <li>{formatCount(left.length - 200, 'more file')}</li>}
      </ul>
      <button type="button" class="small" onClick={() => (queue.leftOut.value = [])}>
        {texts.start.dismiss}
      </button>
    </details>
  );
}

/** Seconds without a byte after which sending counts as stalled. */
const STALLED_SECONDS = 10;

/** Return the bytes per second of the last ten seconds: 0 if none arrived in them, null while it is unknown. */
function useRate(queue: UploadQueue): number | null {
  const [rate, setRate] = useState<number | null>(null);
  const samples = useRef<[number, number][]>([]);
  const busy = queue.busy.value && !queue.paused.value;
  useEffect(() => {
    samples.current = [];
    setRate(null);
    if (!busy) return;
    const timer = setInterval(() => {
      const sent = sum(queue.items.peek(), (item) => item.sent.peek());
      samples.current = [...samples.current, [performance.now(), sent] as [number, number]].slice(-STALLED_SECONDS - 1);
      const [[start, first], [end, last]] = [samples.current[0], samples.current.at(-1)!];
      if (last > first) setRate((1000 * (last - first)) / (end - start));
      else setRate(samples.current.length > STALLED_SECONDS ? 0 : null);
    }, 1000);
    return () => clearInterval(timer);
  }, [queue, busy]);
  return rate;
}

function sum<T>(items: T[], value: (item: T) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function Cross() {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
      <path d="M4 4l8 8M12 4l-8 8" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" />
    </svg>
  );
}
