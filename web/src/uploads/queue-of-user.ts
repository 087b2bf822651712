/**
 * The list of files of the signed-in user. It lives as long as the session, so sending goes on while other screens are
 * shown.
 */
import { effect, signal } from '@preact/signals';
import { client, onSignOut, userName } from '../session.ts';
import { openUploadRecords, RecordsInMemory } from './upload-records.ts';
import { UploadQueue } from './upload-queue.ts';

/** Time in ms after which files are sent again that failed because nothing answered. */
const RETRY_MS = 60_000;

/** The list, or null until it is open. */
export const uploadQueue = signal<UploadQueue | null>(null);

/** Follow the session and the connection from now on. */
export function followUploads(): void {
  effect(() => {
    const { value } = client;
    uploadQueue.peek()?.stop();
    uploadQueue.value = null;
    if (!value) return;
    void open(value);
    const timer = setInterval(() => uploadQueue.peek()?.retryBroken(), RETRY_MS);
    return () => clearInterval(timer);
  });
  onSignOut(async () => uploadQueue.value?.forget());
  addEventListener('online', () => {
    const queue = uploadQueue.value;
    if (!queue) return;
    queue.online.value = true;
    queue.retryBroken();
  });
  addEventListener('offline', () => {
    if (uploadQueue.value) uploadQueue.value.online.value = false;
  });
  addEventListener('beforeunload', (event) => {
    if (uploadQueue.value?.busy.value) event.preventDefault(); // the browser asks whether to leave
  });
}

async function open(user: NonNullable<typeof client.value>): Promise<void> {
  const records = await openUploadRecords(await userName());
  const queue = new UploadQueue(user, records);
  queue.remembers.value = !(records instanceof RecordsInMemory);
  if (client.peek() !== user) return; // signed out meanwhile
  queue.online.value = navigator.onLine;
  uploadQueue.value = queue;
  await queue.restore();
}
