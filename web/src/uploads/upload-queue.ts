/** The files of the start screen: they are sent a few at a time, and sending resumes after a reload. */
import { batch, computed, signal } from '@preact/signals';
import type { Signal } from '@preact/signals';
import { AnemonefishError } from '../client.ts';
import type { Anemonefish } from '../client.ts';
import { openAgain } from './chosen-files.ts';
import type { ChosenFile } from './chosen-files.ts';
import { checkFile } from './file-checks.ts';
import type { LeftOut } from './file-checks.ts';
import { identify } from './identity.ts';
import { resultNames } from './result-names.ts';
import { BestEffortRecords } from './upload-records.ts';
import type { UploadRecord, UploadRecords } from './upload-records.ts';

/**
 * - `waiting`: another file is sent first
 * - `file-needed`: after a reload the browser cannot open the file; the user chooses it again
 * - `permission-needed`: the browser can open it if the user allows it
 * - `gone`: it was complete, and the service no longer has it; the user chooses it again
 */
export type ItemState =
  'waiting' | 'sending' | 'paused' | 'complete' | 'failed' | 'file-needed' | 'permission-needed' | 'gone';

/** Files that are looked at, and then shown, at the same time. */
const CHECKED_AT_ONCE = 24;

/** Files that are sent at the same time, and parts of each: browsers open six connections to a host. */
const FILES_AT_ONCE = 3;
const PARTS_AT_ONCE = 2;

/** A file in the list. */
export class UploadItem {
  readonly state: Signal<ItemState>;
  /** Bytes that have been sent. */
  readonly sent: Signal<number>;
  readonly error = signal<unknown>(null);
  file: File | null = null;
  controller: AbortController | null = null;

  constructor(
    readonly record: UploadRecord,
    state: ItemState,
  ) {
    this.state = signal(state);
    this.sent = signal(state === 'complete' ? record.size : 0);
  }

  /** Folders of the file, without its name; empty if there are none. */
  get folder(): string {
    return this.record.path.slice(0, -this.record.name.length).replace(/\/$/, '');
  }
}

export class UploadQueue {
  readonly items = signal<UploadItem[]>([]);
  /** Files of the last choices that are not uploaded. */
  readonly leftOut = signal<LeftOut[]>([]);
  /** Number of chosen files that are still looked at. */
  readonly checking = signal(0);
  readonly paused = signal(false);
  readonly online = signal(true);
  /** Whether the browser keeps the list over a reload, as far as is known. */
  readonly remembers = signal(true);
  /** Uploads that an execution can be started with, in the order of the list. */
  readonly completeIds = computed(() =>
    this.items.value.filter((item) => item.state.value === 'complete').map((item) => item.record.uploadId!),
  );
  /** Names in the results, where they differ from the names of the files; by the id of the upload. */
  readonly otherNames = computed(() => {
    const complete = this.items.value.filter((item) => item.state.value === 'complete');
    const names = complete.map((item) => item.record.name);
    const changed = resultNames(names).map((name, position) => [complete[position].record.uploadId!, name] as const);
    return new Map(changed.filter(([, name], position) => name !== names[position]));
  });
  /** Number of files with which an execution cannot be started yet. */
  readonly unsent = computed(() => this.items.value.filter(({ state }) => state.value !== 'complete').length);
  /** Whether files are being sent, or will be without the user doing anything. */
  readonly busy = computed(
    () =>
      this.checking.value > 0 ||
      this.items.value.some(({ state }) => state.value === 'sending' || state.value === 'waiting'),
  );
  #client;
  #records;
  #lastChange = 0;
  #roots = new Map<FileSystemHandle, Promise<number | null>>();

  constructor(client: Anemonefish, records: UploadRecords) {
    this.#client = client;
    this.#records = new BestEffortRecords(records, () => (this.remembers.value = false));
  }

  /** Show the files that were in the list before a reload, and send those that can be opened without asking. */
  async restore(): Promise<void> {
    const records = (await this.#records.all())
      .filter(({ listed }) => listed)
      .sort((a, b) => a.changedAt - b.changedAt);
    this.#lastChange = records.at(-1)?.changedAt ?? 0;
    this.items.value = records.map((record) => new UploadItem(record, record.complete ? 'complete' : 'file-needed'));
    await this.#reopen(async (root) => (await queryPermission(root)) ?? 'denied');
  }

  /** Ask the user to allow that files are opened again; must be called by a click. */
  async allow(): Promise<void> {
    await this.#reopen(requestPermission);
  }

  /**
   * Check files and put them into the list.
   *
   * @param leftOut what was chosen with them and cannot be read
   */
  async add(chosen: ChosenFile[], leftOut: LeftOut[] = []): Promise<void> {
    this.leftOut.value = [...this.leftOut.value, ...leftOut];
    const sorted = chosen.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    this.checking.value += sorted.length;
    const earlier = new Map((await this.#records.all()).map((record) => [record.identity, record]));
    for (let start = 0; start < sorted.length; start += CHECKED_AT_ONCE) {
      await this.#addSome(sorted.slice(start, start + CHECKED_AT_ONCE), earlier);
    }
  }

  /** Put uploads of the service into the list, which were sent earlier or from another computer. */
  async addUploads(uploads: { id: string; filename: string; size: number }[]): Promise<void> {
    const listed = new Set(this.items.value.map(({ record }) => record.uploadId));
    for (const { id, filename, size } of uploads.filter((upload) => !listed.has(upload.id))) {
      const known = newRecord({ identity: `upload|${id}`, path: filename, name: filename, size });
      const record = { ...known, uploadId: id, complete: true, changedAt: this.#now() };
      this.items.value = [...this.items.value, new UploadItem(record, 'complete')];
    }
    await Promise.all(this.items.value.map((item) => this.#save(item)));
  }

  /** Stop sending; what has arrived is kept. */
  pause(): void {
    this.paused.value = true;
    for (const item of this.items.value) {
      if (item.state.value === 'waiting' || item.state.value === 'sending') item.state.value = 'paused';
      item.controller?.abort(new DOMException('paused', 'AbortError'));
    }
  }

  /** Send what is missing. */
  resume(): void {
    this.paused.value = false;
    for (const item of this.items.value) if (item.state.value === 'paused') item.state.value = 'waiting';
    this.#pump();
  }

  /** Send a file again that could not be sent. */
  retry(item: UploadItem): void {
    if (item.file) this.#give(item, item.file);
  }

  /** Send all files again that failed because nothing answered. */
  retryBroken(): void {
    for (const item of this.items.value) {
      const { value: error } = item.error;
      if (item.state.value === 'failed' && error instanceof AnemonefishError && error.error === 'NetworkError')
        this.retry(item);
    }
  }

  /** Take a file out of the list. An upload that is not complete is deleted; a complete one stays in the service. */
  async remove(item: UploadItem): Promise<void> {
    item.controller?.abort(new DOMException('removed', 'AbortError'));
    this.items.value = this.items.value.filter((other) => other !== item);
    const { identity, uploadId, complete } = item.record;
    if (complete) return this.#records.put({ ...item.record, listed: false });
    await this.#records.delete(identity);
    if (uploadId) await this.#client.deleteUpload(uploadId).catch(() => {}); // the service deletes it within a day
  }

  /** Empty the list after a start. The records stay, so that a file is not sent again. */
  async clear(): Promise<void> {
    const items = this.items.value.filter(({ state }) => state.value === 'complete');
    this.items.value = this.items.value.filter((item) => !items.includes(item));
    this.leftOut.value = [];
    await Promise.all(items.map(({ record }) => this.#records.put({ ...record, listed: false })));
  }

  /** Look which complete uploads the service no longer has. */
  async verify(): Promise<void> {
    const complete = this.items.value.filter(({ state }) => state.value === 'complete');
    await forEach(complete, 4, async (item) => {
      try {
        await this.#client.uploadStatus(item.record.uploadId!);
      } catch (error) {
        if (!isLost(error)) return; // the next failed quote calls verify again
        Object.assign(item.record, { uploadId: null, complete: false });
        item.sent.value = 0;
        item.state.value = 'gone';
        await this.#save(item);
      }
    });
  }

  /** Take all files out of the list; see {@link remove}. */
  async removeAll(): Promise<void> {
    this.leftOut.value = [];
    await Promise.all(this.items.value.map((item) => this.remove(item)));
  }

  /** Stop everything, at the end of a session. What is remembered stays for the next one. */
  stop(): void {
    this.pause();
    this.items.value = [];
  }

  /** Stop everything and forget it, at sign-out. */
  async forget(): Promise<void> {
    this.pause();
    this.items.value = [];
    this.leftOut.value = [];
    await this.#records.clear();
  }

  /** Check some files and put them into the list at once: single changes would each be drawn. */
  async #addSome(chosen: ChosenFile[], earlier: Map<string, UploadRecord>): Promise<void> {
    const checks = await Promise.all(
      chosen.map(async ({ path, file }) => {
        const reason = checkFile(path, file.size);
        if (reason) return { reason };
        return identify(file).then(
          (identity) => ({ identity }),
          () => ({ reason: 'unreadable' as const }),
        );
      }),
    );
    const listed = new Map(this.items.value.map((item) => [item.record.identity, item]));
    const added: UploadItem[] = [];
    const leftOut: LeftOut[] = [];
    for (const [position, check] of checks.entries()) {
      const { path, file, root } = chosen[position];
      if ('reason' in check) {
        leftOut.push({ path, reason: check.reason });
        continue;
      }
      const { identity } = check;
      const same = listed.get(identity);
      if (same && ['file-needed', 'permission-needed', 'gone', 'failed'].includes(same.state.value)) {
        this.#give(same, file);
      } else if (same) {
        leftOut.push({ path, reason: 'duplicate' });
      } else {
        const known = earlier.get(identity) ?? newRecord({ identity, path, name: file.name, size: file.size });
        // A known upload keeps `complete`, so remove does not delete it before the service was asked for it.
        const record = { ...known, path, listed: true, root: root ? await this.#numberOf(root) : null };
        const item = new UploadItem(record, this.paused.value ? 'paused' : 'waiting');
        item.file = file;
        listed.set(identity, item);
        added.push(item);
      }
    }
    for (const { record } of added) record.changedAt = this.#now();
    batch(() => {
      this.items.value = [...this.items.value, ...added];
      this.leftOut.value = [...this.leftOut.value, ...leftOut];
      this.checking.value -= chosen.length;
    });
    for (const item of added) void this.#save(item);
    this.#pump();
  }

  /** Return the time, later than any before, so that the list has the same order after a reload. */
  #now(): number {
    this.#lastChange = Math.max(Date.now(), this.#lastChange + 1);
    return this.#lastChange;
  }

  /** Return the number under which a dropped file or folder is stored, or null if it cannot be stored. */
  #numberOf(root: FileSystemHandle): Promise<number | null> {
    const number = this.#roots.get(root) ?? this.#records.addRoot(root).catch(() => null);
    this.#roots.set(root, number);
    return number;
  }

  #give(item: UploadItem, file: File): void {
    item.file = file;
    item.error.value = null;
    item.state.value = this.paused.value ? 'paused' : 'waiting';
    this.#pump();
  }

  /** Open the files whose root may be read. */
  async #reopen(permission: (root: FileSystemHandle) => Promise<PermissionState>): Promise<void> {
    const states = new Map<number, Promise<PermissionState>>();
    for (const item of this.items.value) {
      if (item.record.root === null || !['file-needed', 'permission-needed'].includes(item.state.value)) continue;
      const root = await this.#records.root(item.record.root);
      if (!root) continue;
      if (!states.has(item.record.root)) states.set(item.record.root, permission(root));
      const state = await states.get(item.record.root);
      if (state === 'prompt') item.state.value = 'permission-needed';
      if (state !== 'granted') continue;
      try {
        const file = await openAgain(root, item.record.path);
        if ((await identify(file)) === item.record.identity) this.#give(item, file);
        else item.state.value = 'file-needed';
      } catch {
        item.state.value = 'file-needed'; // moved or deleted
      }
    }
  }

  #pump(): void {
    if (this.paused.value) return;
    const sending = this.items.value.filter(({ state }) => state.value === 'sending').length;
    const next = this.items.value
      .filter(({ state }) => state.value === 'waiting')
      .slice(0, Math.max(0, FILES_AT_ONCE - sending));
    for (const item of next) void this.#send(item);
  }

  async #send(item: UploadItem): Promise<void> {
    item.state.value = 'sending';
    item.controller = new AbortController();
    const { signal } = item.controller;
    try {
      const upload = await this.#upload(item, signal);
      Object.assign(item.record, { uploadId: upload.id, complete: true });
      item.sent.value = item.record.size;
      item.state.value = 'complete';
      await this.#save(item);
    } catch (error) {
      if (!signal.aborted) {
        item.error.value = error;
        item.state.value = 'failed';
      }
    } finally {
      if (item.controller.signal === signal) item.controller = null;
      this.#pump();
    }
  }

  async #upload(item: UploadItem, signal: AbortSignal) {
    const { record, file } = item;
    item.sent.value = 0;
    const options = {
      name: record.name,
      concurrency: PARTS_AT_ONCE,
      signal,
      onProgress: (sent: number) => (item.sent.value = sent),
      onStart: ({ id }: { id: string }) => {
        if (record.uploadId !== id) record.complete = false; // the service no longer had the earlier upload
        record.uploadId = id;
        void this.#save(item);
      },
    };
    if (record.uploadId) {
      try {
        return await this.#client.upload(file!, { ...options, resume: record.uploadId });
      } catch (error) {
        if (!isLost(error)) throw error;
      }
    }
    return this.#client.upload(file!, options);
  }

  async #save(item: UploadItem): Promise<void> {
    if (this.items.value.includes(item)) await this.#records.put({ ...item.record }); // else it was removed meanwhile
  }
}

/** Whether the service no longer has an upload, or has another file under its id. */
function isLost(error: unknown): boolean {
  return error instanceof AnemonefishError && ['UploadNotFound', 'UploadExpired', 'OtherFile'].includes(error.error);
}

function newRecord(known: Pick<UploadRecord, 'identity' | 'path' | 'name' | 'size'>): UploadRecord {
  return { ...known, uploadId: null, complete: false, listed: true, root: null, changedAt: Date.now() };
}

type WithPermission = FileSystemHandle & {
  queryPermission?: (options: { mode: 'read' }) => Promise<PermissionState>;
  requestPermission?: (options: { mode: 'read' }) => Promise<PermissionState>;
};

async function queryPermission(root: WithPermission) {
  return root.queryPermission?.({ mode: 'read' });
}

async function requestPermission(root: WithPermission): Promise<PermissionState> {
  return (await root.requestPermission?.({ mode: 'read' })) ?? 'denied';
}

async function forEach<T>(items: T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
