// @ts-check
/**
 * Client of the anemonefish API: upload recordings, start an execution, wait, fetch results, decide again.
 *
 * One file without dependencies, for browsers and for Node 18 or newer. Owns retries, parts and polling; what the
 * answers contain is documented by the API itself (`GET /docs`).
 *
 * @license Apache-2.0
 *
 * @typedef {{error: string, message: string}} Reason
 * @typedef {{number: number, size: number, url: string, etag: string | null}} Part
 * @typedef {{parts: Part[], next: string | null}} PartPage
 * @typedef {{url: string, headers: Record<string, string>}} Put
 * @typedef {{id: string, filename: string, size: number, status: 'OPEN' | 'COMPLETE', created_at: string,
 *   expires_at: string, put?: Put | null, multipart?: PartPage | null}} Upload
 * @typedef {{name: string, version: string, hash: string}} Model
 * @typedef {{id: string, status: 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED', attempt: number,
 *   created_at: string, started_at: string | null, finished_at: string | null, expected_end: string | null,
 *   model: Model, settings: Record<string, unknown>, ranges_done: number, ranges_total: number | null,
 *   recordings: Record<string, any>[], error: Reason | null}} Execution
 * @typedef {{predictions: Record<string, any>[], events: Record<string, any>[],
 *   metadata: Record<string, any>}} LabDocument
 * @typedef {LabDocument & {execution: string, decision: string | null, recording: number,
 *   predictions_url: string | null, recordings: Record<string, any>[]}} Results
 * @typedef {{format: Format, filename: string, url: string, expires_at: string}} FileLink
 * @typedef {'json' | 'csv' | 'scores' | 'raven' | 'audacity' | 'classes' | 'parquet'} Format
 * @typedef {{recordings: string[], model?: string, settings?: Record<string, unknown>, webhook?: string}} Order
 * @typedef {{recording?: number, decision?: string, signal?: AbortSignal}} Which
 * @typedef {{signal?: AbortSignal}} Stoppable
 * @typedef {(ms: number, signal?: AbortSignal) => Promise<unknown>} Pause
 * @typedef {(error: unknown) => boolean} Judge
 */

const TRIES = 6;
const ENDED = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED']);

/** Everything that goes wrong, but for a `signal` that aborts: that rejects with the signal's own reason. */
export class AnemonefishError extends Error {
  /**
   * @param {string} error name of the error as the API tells it; `NetworkError` when nothing answered, `Timeout`
   *   when `wait` gave up, `UnexpectedAnswer` when somebody else answered
   * @param {string} message
   * @param {{status?: number, details?: {field: string, message: string}[] | null, requestId?: string | null,
   *   retryAfter?: number, cause?: unknown}} [more]
   */
  constructor(error, message, { status = 0, details = null, requestId = null, retryAfter = 0, cause } = {}) {
    super(message, { cause });
    this.name = 'AnemonefishError';
    this.error = error;
    /** HTTP status, 0 where there was none */
    this.status = status;
    this.details = details;
    this.requestId = requestId;
    /** Seconds to wait before another try makes sense */
    this.retryAfter = retryAfter;
  }
}

export class Anemonefish {
  #url;
  #key;
  #headers;
  #pause;

  /**
   * @param {object} options
   * @param {string} options.url base URL, the stack's output `ApiUrl`
   * @param {string} [options.key] API key; goes to the API only, never to S3
   * @param {() => Promise<Record<string, string>>} [options.headers] more headers for every request, a token say
   * @param {Pause} [options.pause] how to wait; tests give one that does not
   */
  constructor({ url, key, headers = async () => ({}), pause = sleep }) {
    this.#url = new URL(url).href.replace(/\/+$/, '');
    this.#key = key;
    this.#headers = headers;
    this.#pause = pause;
  }

  /**
   * Upload a recording; a large one in parts, several at once. Aborted or failed, it can be resumed for a day.
   *
   * @param {Blob & {name?: string}} blob a `File` of a page, or what `fs.openAsBlob` returns
   * @param {object} [options]
   * @param {string} [options.name] name of the file, without folders
   * @param {string} [options.sha256] hexadecimal
   * @param {(sent: number, total: number) => void} [options.onProgress] in bytes; falls back when a part fails
   * @param {(upload: Upload) => void} [options.onStart] told before the first byte goes; keep its `id` for `resume`
   * @param {number} [options.concurrency] parts at once
   * @param {string} [options.resume] id of an earlier upload of the same file
   * @param {AbortSignal} [options.signal]
   * @returns {Promise<Upload>} the completed upload
   */
  async upload(blob, options = {}) {
    const { name = blob.name, sha256, onProgress, onStart, concurrency = 4, resume, signal } = options;
    const file = { filename: name, size: blob.size, sha256 };
    const upload = await (resume ? this.#reopen(resume, file, signal) : this.#begin(file, signal));
    const count = counter(blob.size, onProgress, signal);
    onStart?.(upload);
    if (upload.status === 'COMPLETE') {
      count(blob.size);
      return upload;
    }
    if (upload.put) {
      const { url, headers } = upload.put;
      await this.#persist(() => put(url, blob, { headers, count, signal }), signal, passing);
    } else if (upload.multipart) {
      await this.#sendParts(blob, upload.id, upload.multipart, { count, concurrency, signal });
    }
    return this.#ask('POST', `/uploads/${upload.id}/complete`, { signal });
  }

  /**
   * Start an execution. Sent twice by a retry it is still one: there is always an idempotency key.
   *
   * @param {Order & Stoppable & {idempotencyKey?: string}} order
   * @returns {Promise<Execution>}
   */
  start({ idempotencyKey = crypto.randomUUID(), signal, ...order }) {
    return this.#ask('POST', '/executions', { json: order, headers: { 'idempotency-key': idempotencyKey }, signal });
  }

  /**
   * Ranges, seconds and USD to expect; starts nothing.
   *
   * @param {Order & Stoppable} order
   * @returns {Promise<{model: Model, quote: Record<string, number>, recordings: Record<string, any>[]}>}
   */
  quote({ signal, ...order }) {
    return this.#ask('POST', '/executions', { query: { dry_run: true }, json: order, signal });
  }

  /** @param {string} id @param {Stoppable} [options] @returns {Promise<Execution>} */
  status(id, { signal } = {}) {
    return this.#ask('GET', execution(id), { signal });
  }

  /**
   * Executions, newest first. For the next page give the id of the last one as `from`.
   *
   * @param {Stoppable & {limit?: number, from?: string}} [options]
   * @returns {Promise<{executions: Record<string, any>[], next: string | null}>}
   */
  list({ limit, from, signal } = {}) {
    return this.#ask('GET', '/executions', { query: { limit, from }, signal });
  }

  /**
   * Poll until an execution has succeeded; one that failed or was cancelled is an error, with its own reason.
   *
   * @param {string} id
   * @param {Stoppable & {onProgress?: (execution: Execution) => void, timeout?: number}} [options] `timeout` in
   *   milliseconds; without it there is none
   * @returns {Promise<Execution>}
   */
  async wait(id, { onProgress, timeout, signal } = {}) {
    const stop = follower(signal);
    const late = () => stop.abort(new AnemonefishError('Timeout', `${id} has not ended after ${timeout} ms`));
    const timer = timeout === undefined ? undefined : setTimeout(late, timeout);
    try {
      for (let polls = 0; ; polls += 1) {
        const { document, retryAfter } = await this.#answer('GET', execution(id), { signal: stop.signal });
        onProgress?.(document);
        if (ENDED.has(document.status)) return succeeded(document);
        await this.#pause(Math.max(1000 * retryAfter, growing(polls)), stop.signal);
      }
    } finally {
      clearTimeout(timer);
      stop.release();
    }
  }

  /** @param {string} id @param {Which} [which] @returns {Promise<Results>} */
  results(id, { recording, decision, signal } = {}) {
    return this.#ask('GET', `${execution(id)}/results`, { query: { recording, decision }, signal });
  }

  /**
   * A link to a file with results; it holds for an hour and takes no key.
   *
   * @param {string} id @param {Format} format @param {Which} [which] @returns {Promise<FileLink>}
   */
  file(id, format, { recording, decision, signal } = {}) {
    const query = { recording, decision, format, redirect: false };
    return this.#ask('GET', `${execution(id)}/results`, { query, signal });
  }

  /** @param {string} id @param {Format} format @param {Which} [which] @returns {Promise<Response>} */
  async download(id, format, which = {}) {
    const { url } = await this.file(id, format, which);
    const get = async () => {
      const response = await reach(url, { signal: which.signal });
      if (!response.ok) throw refusedByStorage(response.status, await response.text());
      return response;
    };
    return this.#persist(get, which.signal, passing);
  }

  /**
   * Decide again from the stored scores. The answer's `decision` is what `results`, `file` and `download` take.
   *
   * @param {string} id @param {Record<string, unknown>} settings @param {Which} [which] @returns {Promise<Results>}
   */
  decide(id, settings, { recording, signal } = {}) {
    return this.#ask('POST', `${execution(id)}/decisions`, { query: { recording }, json: settings, signal });
  }

  /** @param {string} id @param {Stoppable} [options] @returns {Promise<Execution>} */
  cancel(id, { signal } = {}) {
    return this.#ask('DELETE', execution(id), { signal, again: refused });
  }

  /** @param {string} id @param {Stoppable} [options] @returns {Promise<Execution>} */
  resume(id, { signal } = {}) {
    return this.#ask('POST', `${execution(id)}/resume`, { signal, again: refused });
  }

  /**
   * @param {Stoppable} [options]
   * @returns {Promise<{models: {name: string, versions: string[], aliases: Record<string, string>}[]}>}
   */
  models({ signal } = {}) {
    return this.#ask('GET', '/models', { signal });
  }

  /**
   * @param {string} name @param {string} version or an alias
   * @param {Stoppable} [options]
   * @returns {Promise<Model & Record<string, any>>}
   */
  model(name, version, { signal } = {}) {
    return this.#ask('GET', `/models/${encodeURIComponent(name)}/${encodeURIComponent(version)}`, { signal });
  }

  /**
   * Send one clip of up to 4 MB and get the answer at once.
   *
   * @param {Blob & {name?: string}} blob
   * @param {Stoppable & {name?: string, field?: 'audio_file' | 'audio', config?: Record<string, unknown>}} [options]
   * @returns {Promise<LabDocument>}
   */
  predict(blob, { name = blob.name ?? 'clip', field = 'audio_file', config, signal } = {}) {
    const form = new FormData();
    form.append(field, blob, name);
    if (config) form.append('config', JSON.stringify(config));
    return this.#ask('POST', '/inference/predict', { form, signal });
  }

  /**
   * A retry may open a second upload; nobody sees it, and it is gone within a day.
   *
   * @param {object} file @param {AbortSignal} [signal] @returns {Promise<Upload>}
   */
  #begin(file, signal) {
    return this.#ask('POST', '/uploads', { json: file, signal });
  }

  /**
   * Go on with an upload. One that is a single PUT begins again: there is no fresh link for it, and nothing to keep.
   *
   * @param {string} id @param {{filename?: string, size: number}} file @param {AbortSignal} [signal]
   * @returns {Promise<Upload>}
   */
  async #reopen(id, file, signal) {
    const path = `/uploads/${encodeURIComponent(id)}`;
    const upload = await this.#ask('GET', path, { signal });
    if (upload.size !== file.size || (file.filename ?? upload.filename) !== upload.filename) {
      const other = `${upload.filename} with ${upload.size} bytes, not of ${file.filename} with ${file.size}`;
      throw new AnemonefishError('OtherFile', `${id} is an upload of ${other}`);
    }
    if (upload.status === 'COMPLETE') return upload;
    try {
      return { ...upload, multipart: await this.#ask('GET', `${path}/parts`, { query: { from: 1 }, signal }) };
    } catch (error) {
      if (!(error instanceof AnemonefishError && error.status === 409)) throw error;
      return this.#begin({ ...file, filename: upload.filename }, signal);
    }
  }

  /**
   * Send what is missing page by page: a page is asked for when its turn comes, as its links hold for an hour only.
   *
   * @param {Blob} blob @param {string} id @param {PartPage} first
   * @param {{count: (bytes: number) => void, concurrency: number, signal?: AbortSignal}} how
   */
  async #sendParts(blob, id, first, { count, concurrency, signal }) {
    const partSize = first.parts[0].size; // all but the last are alike
    const stop = follower(signal);
    try {
      for (let page = first; ; page = await this.#ask('GET', page.next, { signal: stop.signal })) {
        const from = page.parts[0].number;
        const fresh = () => this.#ask('GET', `/uploads/${id}/parts`, { query: { from }, signal: stop.signal });
        const links = new Links(page.parts, fresh);
        await pool(page.parts, concurrency, async ({ number, size, etag }) => {
          const start = (number - 1) * partSize;
          if (etag) return count(size);
          return this.#sendPart(number, blob.slice(start, start + size), links, { count, signal: stop.signal });
        });
        if (!page.next) return;
      }
    } catch (error) {
      stop.abort(error); // the other parts need not go on
      throw error;
    } finally {
      stop.release();
    }
  }

  /**
   * @param {number} number @param {Blob} body @param {Links} links
   * @param {{count: (bytes: number) => void, signal: AbortSignal}} how
   */
  async #sendPart(number, body, links, how) {
    let renewed = false;
    await this.#persist(async () => {
      const url = links.url(number);
      try {
        await put(url, body, how);
      } catch (error) {
        if (renewed || !expired(error)) throw error;
        renewed = true;
        await links.renew(number, url);
        await put(links.url(number), body, how);
      }
    }, how.signal, passing);
  }

  /** @param {string} method @param {string} path @param {object} [request] @returns {Promise<any>} */
  async #ask(method, path, request) {
    return (await this.#answer(method, path, request)).document;
  }

  /**
   * @param {string} method @param {string} path
   * @param {{query?: Record<string, unknown>, json?: unknown, form?: FormData, headers?: Record<string, string>,
   *   signal?: AbortSignal, again?: Judge}} [request]
   */
  #answer(method, path, { query = {}, json, form, headers = {}, signal, again = busy } = {}) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = given.map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`).join('&');
    const url = this.#url + path + (search && `?${search}`);
    return this.#persist(async () => {
      const sent = new Headers({ ...(await this.#headers()), ...headers });
      if (this.#key) sent.set('x-api-key', this.#key);
      if (json) sent.set('content-type', 'application/json');
      const body = json ? JSON.stringify(json) : form; // of a form the browser says type and boundary itself
      // The API never redirects these; if somebody else does, the key must not go along.
      return read(await reach(url, { method, headers: sent, body, signal, redirect: 'error' }));
    }, signal, again);
  }

  /**
   * Try again what may work the next time, a few times and ever more slowly.
   *
   * @template T @param {() => Promise<T>} work @param {AbortSignal | undefined} signal @param {Judge} again
   * @returns {Promise<T>}
   */
  async #persist(work, signal, again) {
    for (let tries = 1; ; tries += 1) {
      signal?.throwIfAborted();
      try {
        return await work();
      } catch (error) {
        signal?.throwIfAborted();
        if (tries === TRIES || !(error instanceof AnemonefishError && again(error))) throw error;
        await this.#pause(Math.max(1000 * error.retryAfter, growing(tries - 1)), signal);
      }
    }
  }
}
