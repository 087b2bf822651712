/**
 * What this browser remembers about uploads: which file is which upload. In IndexedDB, or in memory where there is none.
 * No key and no sound.
 */

/** A file in the list, or one that was sent earlier. */
export interface UploadRecord {
  /** See identity.ts; `upload|` and the id for an upload that was chosen from the list of uploads. */
  identity: string;
  path: string;
  name: string;
  size: number;
  /** Id of the upload, once the API has given one. */
  uploadId: string | null;
  complete: boolean;
  /** Whether the file is in the list of the start screen. */
  listed: boolean;
  /** Number of a stored {@link UploadRecords.root}, if the browser can open the file again. */
  root: number | null;
  /** Milliseconds since 1970; an old record is deleted. */
  changedAt: number;
}

/** How long a record is kept. An upload lives for a day until it is complete; the service keeps it for weeks. */
const KEEP_MS = 60 * 86_400_000;

/** Where records are kept. */
export interface UploadRecords {
  all(): Promise<UploadRecord[]>;
  put(record: UploadRecord): Promise<void>;
  delete(identity: string): Promise<void>;
  /** Store a dropped file or folder and return its number. */
  addRoot(handle: FileSystemHandle): Promise<number>;
  root(number: number): Promise<FileSystemHandle | null>;
  clear(): Promise<void>;
}

/**
 * Open the records of a user in this browser. If it has no IndexedDB, or forbids it, they are kept in memory.
 *
 * @param user who uses the page; each has records of their own
 */
export async function openUploadRecords(user: string): Promise<UploadRecords> {
  try {
    const records = new RecordsInDatabase(await openDatabase(`anemonefish ${user}`));
    for (const record of await records.all()) {
      if (record.changedAt < Date.now() - KEEP_MS) await records.delete(record.identity);
    }
    return records;
  } catch {
    return new RecordsInMemory();
  }
}

/** Records whose failures do not stop uploads: `onFailure` is called, and a read returns nothing. */
export class BestEffortRecords implements UploadRecords {
  #records;
  #onFailure;

  /** @param onFailure called at each failure */
  constructor(records: UploadRecords, onFailure: () => void) {
    this.#records = records;
    this.#onFailure = onFailure;
  }

  all() {
    return this.#attempt(() => this.#records.all(), []);
  }

  put(record: UploadRecord) {
    return this.#attempt(() => this.#records.put(record), undefined);
  }

  delete(identity: string) {
    return this.#attempt(() => this.#records.delete(identity), undefined);
  }

  /** Fails like the records: a browser may be unable to store a handle and still remember the file. */
  addRoot(handle: FileSystemHandle) {
    return this.#records.addRoot(handle);
  }

  root(number: number) {
    return this.#attempt(() => this.#records.root(number), null);
  }

  clear() {
    return this.#attempt(() => this.#records.clear(), undefined);
  }

  async #attempt<T>(work: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work();
    } catch {
      this.#onFailure();
      return otherwise;
    }
  }
}

/** Records that end with the page. */
export class RecordsInMemory implements UploadRecords {
  #records = new Map<string, UploadRecord>();
  #roots: FileSystemHandle[] = [];

  async all() {
    return [...this.#records.values()].map((record) => ({ ...record }));
  }

  async put(record: UploadRecord) {
    this.#records.set(record.identity, { ...record });
  }

  async delete(identity: string) {
    this.#records.delete(identity);
  }

  async addRoot(handle: FileSystemHandle) {
    return this.#roots.push(handle) - 1;
  }

  async root(number: number) {
    return this.#roots[number] ?? null;
  }

  async clear() {
    this.#records.clear();
    this.#roots = [];
  }
}

class RecordsInDatabase implements UploadRecords {
  #database;

  constructor(database: IDBDatabase) {
    this.#database = database;
  }

  all(): Promise<UploadRecord[]> {
    return this.#run('records', 'readonly', (store) => store.getAll());
  }

  async put(record: UploadRecord): Promise<void> {
    await this.#run('records', 'readwrite', (store) => store.put(record));
  }

  delete(identity: string): Promise<void> {
    return this.#run('records', 'readwrite', (store) => store.delete(identity));
  }

  async addRoot(handle: FileSystemHandle): Promise<number> {
    return Number(await this.#run('roots', 'readwrite', (store) => store.add(handle)));
  }

  async root(number: number): Promise<FileSystemHandle | null> {
    return (await this.#run('roots', 'readonly', (store) => store.get(number))) ?? null;
  }

  async clear(): Promise<void> {
    for (const name of ['records', 'roots']) await this.#run(name, 'readwrite', (store) => store.clear());
  }

  async #run<T>(name: string, mode: IDBTransactionMode, begin: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
    const transaction = this.#database.transaction(name, mode);
    const request = begin(transaction.objectStore(name));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error); // a full disk is found at the end
    });
  }
}

function openDatabase(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore('records', { keyPath: 'identity' });
    request.result.createObjectStore('roots', { autoIncrement: true });
  };
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
