// @ts-check
/**
 * Client of the anemonefish API: upload recordings, start an execution, wait, fetch results, decide again.
 *
 * One file without dependencies, for browsers and for Node 18 or newer. Owns parts, retries and polling. What the
 * answers contain is told by the API itself: `GET /docs`.
 *
 * @license Apache-2.0
 *
 * @typedef {{error: string, message: string}} Reason
 * @typedef {{url: string, headers: Record<string, string>}} Put
 * @typedef {{number: number, size: number, url: string, etag: string | null}} Part
 * @typedef {{parts: Part[], next: string | null}} PartPage
 * @typedef {{id: string, filename: string, size: number, status: 'OPEN' | 'COMPLETE', created_at: string,
 *   expires_at: string, sha256: string | null, sha256_checked: boolean, put: Put | null,
 *   multipart: PartPage | null}} Upload
 * @typedef {'litert' | 'keras' | 'ncnn'} Engine
 * @typedef {{name: string, version: string, hash: string, engine: Engine, variant: string | null}} Model
 * @typedef {{code: string, message: string, numbers: Record<string, number | string>}} Note
 * @typedef {{recording: number, name: string, status: 'done' | 'partial' | 'failed', windows: number | null,
 *   events: number | null, error: Reason | null, notes: Note[]}} RecordingOutcome
 * @typedef {{recordings: string[], model?: string, settings?: Record<string, unknown>, webhook?: string,
 *   signal?: AbortSignal}} Order
 * @typedef {{id: string, status: 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED', status_url: string,
 *   results_url: string | null, attempt: number, created_at: string, started_at: string | null,
 *   finished_at: string | null, expected_end: string | null, model: Model, settings: Record<string, unknown>,
 *   ranges_done: number, ranges_total: number | null, recordings: Record<string, any>[],
 *   error: Reason | null}} Execution
 * @typedef {Record<'predictions' | 'events', Record<string, any>[]> & {metadata: Record<string, any>}} Found
 * @typedef {Found & {execution: string, decision: string | null, recording: number,
 *   predictions_url: string | null, recordings: RecordingOutcome[]}} Results
 * @typedef {'json' | 'csv' | 'scores' | 'raven' | 'audacity' | 'classes' | 'kaleidoscope' | 'longterm'
 *   | 'parquet'} Format
 * @typedef {{recording?: number, decision?: string, signal?: AbortSignal}} Which
 * @typedef {{signal?: AbortSignal}} Stoppable
 *
 * Among ourselves:
 * @typedef {{filename?: string, size: number, sha256?: string}} Announced
 * @typedef {{query?: Record<string, any>, json?: object, form?: FormData, headers?: Record<string, string>,
 *   signal?: AbortSignal, again?: (error: any) => boolean, patience?: number}} Asked
 * @typedef {(bytes: number) => void} Count
 */

const TRIES = 6;
/** A link that S3 refuses at this age or later (ms) has expired; one that is younger may be forbidden. */
const FRESH = 60_000;
/** So many young links in a row may be refused as expired before that is believed. */
const EXPIRED_AT_ONCE = 10;
/** Links are renewed so long (ms) before their end: a part that is sent in vain costs its bytes. */
const BEFORE_END = 30_000;

/** Whatever goes wrong, except that a `signal` aborts: that rejects with the signal's own reason. */
export class AnemonefishError extends Error {
  /**
   * @param {string} error the name the API, S3 or a failed execution gives it; ours are `NetworkError`, `Timeout`,
   *   `NotStarted`, `Cancelled`, `OtherFile`, `StorageRefused`, `UnexpectedAnswer`
   * @param {string} message
   * @param {{status?: number, details?: {field: string, message: string}[] | null, requestId?: string | null,
   *   retryAfter?: number, cause?: unknown}} [more] `status` is 0 where no answer came, or none was the error
   */
  constructor(error, message, { status = 0, details = null, requestId = null, retryAfter = 0, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AnemonefishError';
    this.error = error;
    this.status = status;
    this.details = details;
    this.requestId = requestId;
    this.retryAfter = retryAfter; // seconds
  }
}

export class Anemonefish {
  #url;
  #key;
  #headers;
  #patience;
  #pause;

  /**
   * @param {object} options
   * @param {string} options.url the stack's output `ApiUrl`
   * @param {string} [options.key] API key; goes to the API only, never to S3
   * @param {() => Promise<Record<string, string>>} [options.headers] more headers of a request, a token for example
   * @param {number} [options.patience] how long `upload` and `wait` bear that nobody answers, in ms of waiting; what a
   *   device sleeps does not count
   * @param {(ms: number, signal?: AbortSignal) => Promise<unknown>} [options.pause] how to wait; for tests
   */
  constructor({ url, key, headers, patience = 600_000, pause = sleep }) {
    this.#url = new URL(url).href.replace(/\/+$/, '');
    this.#key = key;
    this.#headers = headers;
    this.#patience = patience;
    this.#pause = pause;
  }

  /**
   * Upload a recording; a large one in parts, several at once. What was interrupted can be resumed for a day. Links
   * that expire on the way, on a phone that slept for example, are renewed as often as that happens.
   *
   * @param {Blob & {name?: string}} blob a file input's `File`, or what `fs.openAsBlob` returns
   * @param {object} [options]
   * @param {string} [options.name] file name without folders
   * @param {string} [options.sha256] hexadecimal
   * @param {(sent: number, total: number) => void} [options.onProgress] in bytes; it falls when a part has to go again
   * @param {(upload: Upload) => void} [options.onStart] called before the first byte; keep the `id` to resume. Called
   *   again where a small file's link has expired: such an upload begins anew, under another id
   * @param {number} [options.concurrency] parts at once
   * @param {string} [options.resume] id of an earlier upload of this file
   * @param {AbortSignal} [options.signal]
   * @returns {Promise<Upload>} complete
   */
  async upload(blob, options = {}) {
    const { name = blob.name, sha256, onProgress, onStart, concurrency = 4, resume } = options;
    const stop = follower(options.signal);
    const { signal } = stop;
    const count = counter(blob.size, onProgress, signal);
    try {
      const file = { filename: name, size: blob.size, sha256 };
      let upload = await (resume ? this.#reopen(resume, file, signal) : this.#open(file, signal));
      onStart?.(upload);
      if (upload.status === 'COMPLETE') {
        count(blob.size);
        return upload;
      }
      if (upload.multipart) await this.#sendParts(blob, upload.id, upload.multipart, concurrency, count, signal);
      else upload = await this.#sendWhole(blob, upload, file, onStart, count, signal);
      return await this.#ask('POST', `/uploads/${upload.id}/complete`, { signal, patience: this.#patience });
    } catch (error) {
      stop.abort(error); // the other parts need not go on
      throw error;
    } finally {
      stop.release();
    }
  }

  /**
   * Start an execution. There is always an idempotency key, so that a retry does not start a second one.
   *
   * @param {Order & {idempotencyKey?: string}} order @returns {Promise<Execution>}
   */
  start({ idempotencyKey = randomKey(), signal, ...order }) {
    return this.#ask('POST', '/executions', { json: order, headers: { 'idempotency-key': idempotencyKey }, signal });
  }

  /**
   * Ranges, seconds and USD to expect; starts nothing.
   *
   * @param {Order} order
   * @returns {Promise<{model: Model, quote: Record<string, number>, recordings: Record<string, any>[]}>}
   */
  quote({ signal, ...order }) {
    return this.#ask('POST', '/executions', { query: { dry_run: true }, json: order, signal });
  }

  /** @param {string} id @param {Stoppable} [options] @returns {Promise<Execution>} */
  status(id, { signal } = {}) {
    return this.#ask('GET', pathOf(id), { signal });
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
   * Poll until an execution has succeeded. One that failed or was cancelled is an error, with its own reason; so is one
   * that stays PENDING: it was accepted, but not started.
   *
   * @param {string} id
   * @param {Stoppable & {onProgress?: (execution: Execution) => void, timeout?: number,
   *   startTimeout?: number}} [options] `timeout` in ms; `startTimeout` in ms of waiting while the execution is PENDING
   * @returns {Promise<Execution>}
   */
  async wait(id, { onProgress, timeout = Infinity, startTimeout = 900_000, signal } = {}) {
    const stop = follower(signal);
    const late = () => stop.abort(new AnemonefishError('Timeout', `${id} did not end within ${timeout} ms`));
    const timer = timeout < 2 ** 31 ? setTimeout(late, timeout) : undefined; // longer ones would end at once
    try {
      const request = { signal: stop.signal, patience: this.#patience };
      for (let polls = 0, pending = 0; ; polls += 1) {
        const { document, retryAfter } = await this.#answer('GET', pathOf(id), request);
        onProgress?.(document);
        if (document.status === 'SUCCEEDED') return document;
        if (['FAILED', 'CANCELLED'].includes(document.status)) throw failureOf(document);
        const ms = Math.max(1000 * retryAfter, growing(polls));
        pending = document.status === 'PENDING' ? pending + ms : 0;
        if (pending > startTimeout) throw notStarted(id, startTimeout);
        await this.#pause(ms, stop.signal);
      }
    } finally {
      clearTimeout(timer);
      stop.release();
    }
  }

  /** @param {string} id @param {Which} [which] @returns {Promise<Results>} */
  results(id, { recording, decision, signal } = {}) {
    return this.#ask('GET', `${pathOf(id)}/results`, { query: { recording, decision }, signal });
  }

  /**
   * A link to a file of results; it holds for an hour and needs no key.
   *
   * @param {string} id @param {Format} format @param {Which} [which]
   * @returns {Promise<{format: Format, filename: string, url: string, expires_at: string}>}
   */
  file(id, format, { recording, decision, signal } = {}) {
    const query = { format, recording, decision, redirect: false };
    return this.#ask('GET', `${pathOf(id)}/results`, { query, signal });
  }

  /** @param {string} id @param {Format} format @param {Which} [which] @returns {Promise<Response>} */
  async download(id, format, which = {}) {
    const { url } = await this.file(id, format, which);
    const get = async () => {
      const response = await fetch(url, { signal: which.signal });
      return response.ok ? response : refuse(response.status, await response.text());
    };
    return this.#persist(() => reach(get), which.signal, passing);
  }

  /**
   * What tells of the whole job: summary, combined tables, clips, pictures. The links hold for an hour.
   *
   * @param {string} id @param {Stoppable} [options]
   * @returns {Promise<{files: {name: string, url: string}[], expires_at: string}>}
   */
  files(id, { signal } = {}) {
    return this.#ask('GET', `${pathOf(id)}/files`, { signal });
  }

  /**
   * Decide again from the stored scores. `results`, `file` and `download` take the answer's `decision`.
   *
   * @param {string} id @param {Record<string, unknown>} settings @param {Which} [which] @returns {Promise<Results>}
   */
  decide(id, settings, { recording, signal } = {}) {
    return this.#ask('POST', `${pathOf(id)}/decisions`, { query: { recording }, json: settings, signal });
  }

  /** @param {string} id @param {Stoppable} [options] @returns {Promise<Execution>} */
  cancel(id, { signal } = {}) {
    return this.#ask('DELETE', pathOf(id), { signal, again: throttled });
  }

  /** @param {string} id @param {Stoppable} [options] @returns {Promise<Execution>} */
  resume(id, { signal } = {}) {
    return this.#ask('POST', `${pathOf(id)}/resume`, { signal, again: throttled });
  }

  /**
   * @param {Stoppable} [options]
   * @returns {Promise<{models: {name: string, versions: string[], aliases: Record<string, string>}[]}>}
   */
  models({ signal } = {}) {
    return this.#ask('GET', '/models', { signal });
  }

  /** @param {string} name @param {string} version or an alias @param {Stoppable} [options] @returns {Promise<any>} */
  model(name, version, { signal } = {}) {
    return this.#ask('GET', `/models/${encodeURIComponent(name)}/${encodeURIComponent(version)}`, { signal });
  }

  /**
   * Send one clip of up to 4 MB and have the answer at once.
   *
   * @param {Blob & {name?: string}} blob
   * @param {Stoppable & {name?: string, field?: 'audio_file' | 'audio', config?: Record<string, unknown>}} [options]
   * @returns {Promise<Found>}
   */
  predict(blob, { name = blob.name ?? 'clip.wav', field = 'audio_file', config, signal } = {}) {
    const form = new FormData();
    form.append(field, blob, name);
    if (config) form.append('config', JSON.stringify(config));
    return this.#ask('POST', '/inference/predict', { form, signal });
  }

  /**
   * A retry may open a second upload; nobody sees it, and it is gone within a day.
   *
   * @param {Announced} file @param {AbortSignal} signal @returns {Promise<Upload>}
   */
  #open(file, signal) {
    return this.#ask('POST', '/uploads', { json: file, signal, patience: this.#patience });
  }

  /**
   * Go on with an upload. One that is a single PUT is opened anew: nothing of it is there, and no fresh link.
   *
   * @param {string} id @param {Announced} file @param {AbortSignal} signal @returns {Promise<Upload>}
   */
  async #reopen(id, file, signal) {
    const path = `/uploads/${encodeURIComponent(id)}`;
    const patience = this.#patience;
    const upload = await this.#ask('GET', path, { signal, patience });
    const filename = file.filename ?? upload.filename;
    if (upload.filename !== filename || upload.size !== file.size) {
      const [theirs, ours] = [upload, { ...file, filename }].map((each) => `${each.filename}, ${each.size} bytes`);
      throw new AnemonefishError('OtherFile', `${id} is the upload of ${theirs}; this is ${ours}`);
    }
    if (upload.status === 'COMPLETE') return upload;
    try {
      const query = { from: 1 };
      return { ...upload, multipart: await this.#ask('GET', `${path}/parts`, { query, signal, patience }) };
    } catch (error) {
      if (!isOneOf(error, 'WrongState')) throw error;
      return this.#open({ ...file, filename }, signal);
    }
  }

  /**
   * Send a file as one PUT. A link that has expired cannot be renewed: the upload begins anew.
   *
   * @param {Blob} blob @param {Upload} upload @param {Announced} file
   * @param {((upload: Upload) => void) | undefined} onStart @param {Count} count @param {AbortSignal} signal
   * @returns {Promise<Upload>} the one that has the bytes
   */
  async #sendWhole(blob, upload, file, onStart, count, signal) {
    const refusals = new Refusals(this.#pause, signal);
    for (;;) {
      const taken = Date.now();
      let began = taken;
      let unheard = false;
      const send = async () => {
        began = Date.now();
        try {
          await put(/** @type {Put} */ (upload.put), blob, count, signal);
        } catch (error) {
          // The link writes once. After an answer that was lost this one says that the bytes are there.
          if (unheard && isOneOf(error, 'PreconditionFailed')) return count(blob.size);
          unheard ||= isOneOf(error, 'NetworkError');
          throw error;
        }
      };
      try {
        await this.#persist(send, signal, passing, this.#patience);
        return upload;
      } catch (error) {
        await refusals.add(error, began - taken);
        upload = await this.#open({ ...file, filename: upload.filename }, signal);
        onStart?.(upload);
      }
    }
  }

  /**
   * Send what is missing. The next page is asked for when its turn comes: links hold for an hour only.
   *
   * @param {Blob} blob @param {string} id @param {PartPage} first @param {number} concurrency
   * @param {Count} count @param {AbortSignal} signal
   */
  async #sendParts(blob, id, first, concurrency, count, signal) {
    const partSize = first.parts[0].size; // all but the last are alike
    const patience = this.#patience;
    for (let page = first; ; page = await this.#ask('GET', page.next, { signal, patience })) {
      const query = { from: page.parts[0].number };
      const links = new Links(page, () => this.#ask('GET', `/uploads/${id}/parts`, { query, signal, patience }));
      await pool(page.parts, concurrency, async ({ number, size, etag }) => {
        const start = (number - 1) * partSize;
        if (etag) count(size);
        else await this.#sendPart(number, blob.slice(start, start + size), links, count, signal);
      });
      if (!page.next) return;
    }
  }

  /**
   * @param {number} number @param {Blob} bytes @param {Links} links @param {Count} count @param {AbortSignal} signal
   */
  async #sendPart(number, bytes, links, count, signal) {
    const refusals = new Refusals(this.#pause, signal);
    for (;;) {
      if (links.endsSoon(number)) await links.renew(number, links.get(number).url);
      const { url, taken } = links.get(number);
      let began = taken;
      const send = () => {
        began = Date.now();
        return put({ url, headers: {} }, bytes, count, signal);
      };
      try {
        return await this.#persist(send, signal, passing, this.#patience);
      } catch (error) {
        await refusals.add(error, began - taken);
        await links.renew(number, url);
      }
    }
  }

  /** @param {string} method @param {string} path @param {Asked} request @returns {Promise<any>} */
  async #ask(method, path, request) {
    return (await this.#answer(method, path, request)).document;
  }

  /**
   * @param {string} method @param {string} path @param {Asked} request
   * @returns {Promise<{document: any, retryAfter: number}>}
   */
  #answer(method, path, { query = {}, json, form, headers, signal, again = busy, patience = 0 }) {
    const url = this.#url + path + searchOf(query);
    const request = async () => {
      const sent = new Headers({ ...(await this.#headers?.()), ...headers });
      if (this.#key) sent.set('x-api-key', this.#key);
      if (json) sent.set('content-type', 'application/json'); // of a form, fetch tells type and boundary
      const body = json ? JSON.stringify(json) : form;
      // The API redirects nothing that is asked here. Whoever else does must not get the key.
      return reach(async () => read(await fetch(url, { method, headers: sent, body, signal, redirect: 'error' })));
    };
    return this.#persist(request, signal, again, patience);
  }

  /**
   * Do what may work the next time a few times, ever more slowly. That nobody answers is borne for `patience`, counted
   * in what was waited for it: neither a long sleep nor the tries before it use it up.
   *
   * @template T
   * @param {() => Promise<T>} work @param {AbortSignal | undefined} signal @param {(error: any) => boolean} again
   * @param {number} [patience] ms
   * @returns {Promise<T>}
   */
  async #persist(work, signal, again, patience = 0) {
    let tries = 0;
    let unheard = { times: 0, waited: 0 };
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await work();
      } catch (/** @type {any} */ error) {
        signal?.throwIfAborted();
        if (!again(error)) throw error;
        const offline = patience > 0 && isOneOf(error, 'NetworkError');
        const count = offline ? unheard.times++ : tries++;
        const ms = Math.max(1000 * error.retryAfter, growing(count));
        if (offline ? (unheard.waited += ms) > patience : tries === TRIES) throw error;
        if (!offline) unheard = { times: 0, waited: 0 };
        await this.#pause(ms, signal);
      }
    }
  }
}

/** The links of a page of parts. However many parts find theirs expired at once, the page is asked for once. */
class Links {
  /** @type {Map<number, {url: string, taken: number}>} */
  #links = new Map();
  #fetchPage;
  /** @type {Promise<void> | null} */
  #asking = null;

  /** @param {PartPage} page @param {() => Promise<PartPage>} fetchPage */
  constructor(page, fetchPage) {
    this.#take(page);
    this.#fetchPage = fetchPage;
  }

  /** @param {number} number */
  get(number) {
    return /** @type {{url: string, taken: number}} */ (this.#links.get(number));
  }

  /**
   * By the lifetime that the link states and the time since it came: the clock of this machine may be wrong.
   *
   * @param {number} number
   */
  endsSoon(number) {
    const { url, taken } = this.get(number);
    const lifetime = 1000 * Number(new URL(url).searchParams.get('X-Amz-Expires'));
    return lifetime > 2 * BEFORE_END && Date.now() - taken > lifetime - BEFORE_END;
  }

  /** @param {number} number @param {string} stale */
  async renew(number, stale) {
    if (this.get(number).url !== stale) return; // another part was faster
    this.#asking ??= this.#fetchPage().then((page) => this.#take(page)).finally(() => (this.#asking = null));
    await this.#asking;
  }

  /** @param {PartPage} page */
  #take({ parts }) {
    const taken = Date.now();
    for (const { number, url } of parts) this.#links.set(number, { url, taken });
  }
}

/**
 * Which refused links are worth another one. An old link has expired, however often that happens: each takes its time.
 * A young one is forbidden when a second is refused as well, unless S3 says that it has expired; then ten are.
 */
class Refusals {
  #young = 0;
  #pause;
  #signal;

  /** @param {(ms: number, signal?: AbortSignal) => Promise<unknown>} pause @param {AbortSignal} signal */
  constructor(pause, signal) {
    this.#pause = pause;
    this.#signal = signal;
  }

  /**
   * Throw the error, or return when another link may be asked for.
   *
   * @param {any} error @param {number} age of the link when it was used, in ms
   */
  async add(error, age) {
    if (!refused(error)) throw error;
    if (age >= FRESH) {
      this.#young = 0;
      return;
    }
    this.#young += 1;
    if (this.#young > (saysExpired(error) ? EXPIRED_AT_ONCE : 1)) throw error;
    if (this.#young > 1) await this.#pause(growing(this.#young - 2), this.#signal);
  }
}

// --- what may be tried again ---------------------------------------------------------------------------------

/** @param {any} error @param {...string} names */
const isOneOf = (error, ...names) => error instanceof AnemonefishError && names.includes(error.error);
/** Of the API, where a second request does no harm. @param {any} error */
const busy = (error) => isOneOf(error, 'NetworkError') || [429, 502, 503, 504].includes(error.status);
/** Of the API, where it does: the answer to the first may be lost, and the second be 409. @param {any} error */
const throttled = (error) => error.status === 429;
/**
 * Of S3. `RequestTimeout`, 400, is its word for a connection that stood still, `ConditionalRequestConflict`, 409, for
 * an earlier try that is still on its way.
 *
 * @param {any} error
 */
const passing = (error) =>
  isOneOf(error, 'NetworkError', 'RequestTimeout', 'ConditionalRequestConflict') ||
  error.status === 429 ||
  error.status >= 500;
/** A link does not outlive the credentials that signed it: that is `ExpiredToken`, 400. @param {any} error */
const refused = (error) => error.status === 403 || isOneOf(error, 'ExpiredToken');
/** @param {any} error */
const saysExpired = (error) => isOneOf(error, 'ExpiredToken') || /\bexpired\b/i.test(error.message);

/**
 * Milliseconds until the next try or poll: 1 s at first, 15 s at most, and not all clients at once.
 *
 * @param {number} count
 */
const growing = (count) => Math.min(15_000, 1000 * 1.5 ** count) * (0.75 + Math.random() / 2);

// --- requests ------------------------------------------------------------------------------------------------

/** @param {string} id */
const pathOf = (id) => `/executions/${encodeURIComponent(id)}`;

/** @param {Record<string, any>} query */
function searchOf(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

/** `randomUUID` is missing in Node 18 and on pages without https. */
function randomKey() {
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random()}-${Math.random()}`;
}

/**
 * Tell apart that nobody answered, which `fetch` tells with a TypeError.
 *
 * @template T
 * @param {() => Promise<T>} request @returns {Promise<T>}
 */
async function reach(request) {
  try {
    return await request();
  } catch (/** @type {any} */ cause) {
    if (cause instanceof AnemonefishError) throw cause;
    throw new AnemonefishError('NetworkError', `no answer: ${cause?.message}`, { cause });
  }
}

/** @param {Response} response */
async function read(response) {
  const { ok, status, headers } = response;
  const document = parsed(await response.text());
  const retryAfter = secondsOf(headers.get('retry-after'));
  if (ok && document) return { document, retryAfter };
  const { error = 'UnexpectedAnswer', message = `HTTP status ${status}`, details, request_id } = document ?? {};
  throw new AnemonefishError(error, message, { status, details, requestId: request_id, retryAfter });
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a proxy's page, say
  }
}

/** `Retry-After` is seconds or a date. @param {string | null} value */
function secondsOf(value) {
  const seconds = Number.isNaN(Number(value)) ? (Date.parse(value ?? '') - Date.now()) / 1000 : Number(value);
  return Math.min(3600, Math.max(0, seconds)) || 0;
}

/** Throw what S3 says, in XML. @param {number} status @param {string} text @returns {never} */
function refuse(status, text) {
  const [code, message] = ['Code', 'Message'].map((tag) => text.match(`<${tag}>([^<]*)</${tag}>`)?.[1]);
  throw new AnemonefishError(code ?? 'StorageRefused', message ?? `the storage answered ${status}`, { status });
}

/** @param {Execution} execution */
function failureOf({ id, status, error }) {
  if (error) return new AnemonefishError(error.error, error.message);
  return new AnemonefishError(status === 'CANCELLED' ? 'Cancelled' : 'Failed', `${id} is ${status}`);
}

/** @param {string} id @param {number} ms */
function notStarted(id, ms) {
  const words = `${id} has been PENDING for more than ${Math.round(ms / 1000)} s: it was accepted, but not started`;
  const how = 'start it again with the same idempotencyKey, or wait again later: the API starts what it is asked for';
  return new AnemonefishError('NotStarted', `${words}; ${how}`);
}

// --- bytes ---------------------------------------------------------------------------------------------------

/**
 * PUT a blob; `content-length` is the browser's to say. What does not arrive is not counted as sent.
 *
 * @param {Put} link @param {Blob} blob @param {Count} count @param {AbortSignal} signal
 */
async function put({ url, headers }, blob, count, signal) {
  let counted = 0;
  /** @type {Count} */
  const tell = (sent) => {
    count(sent - counted);
    counted = sent;
  };
  const send = 'XMLHttpRequest' in globalThis ? putByXhr : putByFetch;
  try {
    const { status, text } = await reach(() => send(url, headers, blob, tell, signal));
    if (status < 200 || status > 299) refuse(status, text);
    tell(blob.size);
  } catch (error) {
    tell(0);
    throw error;
  }
}

/**
 * @param {string} url @param {Put['headers']} headers @param {Blob} body @param {Count} _ never hears of any
 * @param {AbortSignal} signal
 */
async function putByFetch(url, headers, body, _, signal) {
  const response = await fetch(url, { method: 'PUT', headers, body, signal });
  return { status: response.status, text: await response.text() };
}

/**
 * The one way to hear of bytes on their way.
 *
 * @param {string} url @param {Put['headers']} headers @param {Blob} body @param {Count} tell
 * @param {AbortSignal} signal
 * @returns {Promise<{status: number, text: string}>}
 */
async function putByXhr(url, headers, body, tell, signal) {
  signal.throwIfAborted();
  const xhr = new XMLHttpRequest();
  const abort = () => xhr.abort();
  const sent = new Promise((resolve, reject) => {
    xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText });
    xhr.onerror = () => reject(new TypeError('the connection broke'));
    xhr.onabort = () => reject(signal.reason);
  });
  xhr.upload.onprogress = ({ loaded }) => tell(loaded);
  xhr.onloadend = () => signal.removeEventListener('abort', abort);
  signal.addEventListener('abort', abort);
  xhr.open('PUT', url);
  for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
  xhr.send(body);
  return sent;
}

/**
 * Add up bytes; after the end nobody is told any more.
 *
 * @param {number} total @param {((sent: number, total: number) => void) | undefined} onProgress
 * @param {AbortSignal} signal @returns {Count}
 */
function counter(total, onProgress, signal) {
  let sent = 0;
  return (bytes) => {
    sent += bytes;
    if (bytes && !signal.aborted) onProgress?.(sent, total);
  };
}

// --- many things at once -------------------------------------------------------------------------------------

/**
 * Work on all items, `width` at a time.
 *
 * @template T
 * @param {T[]} items @param {number} width @param {(item: T) => Promise<void>} work
 */
async function pool(items, width, work) {
  const queue = items.values(); // shared: a worker takes what no other has taken
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** An AbortController that aborts with `signal` too; AbortSignal.any is too young. @param {AbortSignal} [signal] */
function follower(signal) {
  const controller = new AbortController();
  /** @param {unknown} reason */
  const abort = (reason) => controller.abort(reason);
  const follow = () => abort(signal?.reason);
  if (signal?.aborted) follow();
  signal?.addEventListener('abort', follow);
  return { signal: controller.signal, abort, release: () => signal?.removeEventListener('abort', follow) };
}

/** @param {number} ms @param {AbortSignal} [signal] */
async function sleep(ms, signal) {
  signal?.throwIfAborted();
  await new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const wake = () => {
      signal?.removeEventListener('abort', stop);
      resolve(undefined);
    };
    const timer = setTimeout(wake, ms);
    signal?.addEventListener('abort', stop);
  });
}
