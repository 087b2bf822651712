// @ts-check
/**
 * Client of the anemonefish API: upload recordings, start an execution, wait, fetch results, decide again.
 *
 * One file without dependencies, for browsers and for Node 18 or newer. It handles upload parts, retries and polling.
 * The API documents the contents of its answers: `GET /docs`.
 *
 * @license Apache-2.0
 *
 * @typedef {{error: string, message: string}} ErrorReason
 * @typedef {{url: string, headers: Record<string, string>}} PutLink
 * @typedef {{number: number, size: number, url: string, etag: string | null}} Part
 * @typedef {{parts: Part[], next: string | null}} PartPage
 * @typedef {{id: string, filename: string, size: number, status: 'OPEN' | 'COMPLETE', created_at: string,
 *   expires_at: string, sha256: string | null, sha256_checked: boolean, put: PutLink | null,
 *   multipart: PartPage | null}} Upload
 * @typedef {{id: string, filename: string, size: number, status: 'OPEN' | 'COMPLETE' | 'EXPIRED', created_at: string,
 *   expires_at: string, sha256: string | null, sha256_checked: boolean}} UploadSummary
 * @typedef {'litert' | 'keras' | 'ncnn'} Engine
 * @typedef {{name: string, version: string, hash: string, engine: Engine, variant: string | null}} Model
 * @typedef {{code: string, message: string, numbers: Record<string, number | string>}} Note
 * @typedef {{recording: number, name: string, status: 'done' | 'partial' | 'failed', windows: number | null,
 *   events: number | null, error: ErrorReason | null, notes: Note[]}} RecordingOutcome
 * @typedef {{recordings: string[], model?: string, settings?: Record<string, unknown>, webhook?: string,
 *   signal?: AbortSignal}} ExecutionRequest
 * @typedef {{id: string, status: 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED', status_url: string,
 *   results_url: string | null, attempt: number, created_at: string, started_at: string | null,
 *   finished_at: string | null, expected_end: string | null, queue?: {position: number, message: string} | null,
 *   model: Model, settings: Record<string, unknown>,
 *   ranges_done: number, ranges_total: number | null, recordings: Record<string, any>[], restore: Restore | null,
 *   error: ErrorReason | null}} Execution
 * @typedef {{tier: 'standard' | 'bulk', requested_at: string, ready_by: string, kept_until: string, files: number,
 *   files_left: number}} Restore
 * @typedef {{jobs: {used: number, limit: number | null}, stored_bytes: {used: number, limit: number | null},
 *   job_usd_limit: number | null}} Usage
 * @typedef {{recordings: number, ranges: number, windows: number, audio_seconds: number, expected_seconds: number,
 *   expected_usd: number, assumptions: Record<string, any>, workers: number, report_workers: number,
 *   longest_function: {function: 'plan' | 'score' | 'report' | 'aggregate', seconds: number},
 *   price: Record<string, number>, storage: {bytes: number, usd_per_month: number}}} Quote
 * @typedef {Record<'predictions' | 'events', Record<string, any>[]> & {metadata: Record<string, any>}} Detections
 * @typedef {{target_class: string | string[], threshold: number | Record<string, number>, median_windows: number,
 *   min_duration_seconds: number, min_gap_seconds: number, full_scale_db: number | null}} DecidedSettings
 * @typedef {Detections & {execution: string, decision: string | null, recording: number, settings: DecidedSettings,
 *   predictions_url: string | null, predictions_error: ErrorReason | null, recordings: RecordingOutcome[]}} Results
 * @typedef {'json' | 'csv' | 'scores' | 'raven' | 'audacity' | 'classes' | 'kaleidoscope' | 'longterm'
 *   | 'parquet'} Format
 * @typedef {{name: string, url: string, expires_at: string, sample_rate: number, channels: number,
 *   start_sample: number, stop_sample: number}} Clip
 * @typedef {{clip: string, recording: number, name: string, start_sample: number, stop_sample: number,
 *   start_time: number, end_time: number, sample_rate: number, kind: 'event' | 'segment', score: number,
 *   stratum: string, stratum_size: number, drawn: number}} ReviewUnit
 * @typedef {{recording: number, start_sample: number, stop_sample: number, class: string, verdict: string | null,
 *   calls?: number | null, mark_start_sample?: number | null, mark_stop_sample?: number | null,
 *   kind?: 'event' | 'segment' | null}} Verdict
 * @typedef {Verdict & {name: string, sample_rate: number, start_time: number, end_time: number, verdict: string,
 *   reviewer: string, judged_at: string}} StoredVerdict
 * @typedef {{recording?: number, decision?: string, signal?: AbortSignal}} ResultSelector
 * @typedef {{signal?: AbortSignal}} SignalOption
 *
 * Used only in this file:
 * @typedef {{filename?: string, size: number, sha256?: string}} FileInfo
 * @typedef {{query?: Record<string, any>, json?: object, form?: FormData, headers?: Record<string, string>,
 *   signal?: AbortSignal, isRetryable?: (error: any) => boolean, patience?: number}} RequestOptions
 * @typedef {(bytes: number) => void} ByteCounter
 */

const MAX_TRIES = 6;
/** Age in ms from which a refused link counts as expired. A younger link may have been refused as forbidden. */
const YOUNG_LINK_MS = 60_000;
/** Number of young links in a row that S3 may refuse as expired before the upload fails. */
const MAX_YOUNG_EXPIRED = 10;
/** Links are renewed this long (ms) before they expire, so that no part is sent to an expired link. */
const RENEW_BEFORE_END_MS = 30_000;

/** Every error of this client. The one exception: an aborted `signal` rejects with its own reason. */
export class AnemonefishError extends Error {
  /**
   * @param {string} error name of the error, from the API, S3 or a failed execution; this client adds `NetworkError`,
   *   `Timeout`, `NotStarted`, `Cancelled`, `OtherFile`, `StorageRefused`, `UnexpectedAnswer`
   * @param {string} message
   * @param {{status?: number, details?: {field: string, message: string}[] | null, requestId?: string | null,
   *   retryAfter?: number, cause?: unknown}} [more] `status` is 0 if there was no HTTP error
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
   * @param {string} [options.key] API key; sent only to the API, not to S3
   * @param {() => Promise<Record<string, string>>} [options.headers] returns more headers for each request, for
   *   example a token
   * @param {number} [options.patience] how long `upload` and `wait` retry without an answer, in ms of waiting; time in
   *   which the device sleeps does not count
   * @param {(ms: number, signal?: AbortSignal) => Promise<unknown>} [options.pause] function that waits; for tests
   */
  constructor({ url, key, headers, patience = 600_000, pause = sleep }) {
    this.#url = new URL(url).href.replace(/\/+$/, '');
    this.#key = key;
    this.#headers = headers;
    this.#patience = patience;
    this.#pause = pause;
  }

  /**
   * Upload a recording; a large one in parts, several at a time. An interrupted upload can be resumed within a day.
   * Links that expire during the upload, for example while a phone sleeps, are renewed.
   *
   * @param {Blob & {name?: string}} blob a file input's `File`, or what `fs.openAsBlob` returns
   * @param {object} [options]
   * @param {string} [options.name] file name without folders
   * @param {string} [options.sha256] hexadecimal
   * @param {(sent: number, total: number) => void} [options.onProgress] in bytes; `sent` decreases when a part must be
   *   sent again
   * @param {(upload: Upload) => void} [options.onStart] called before the first byte; store the `id` to resume. Called
   *   again with a new upload if the link of a small file has expired
   * @param {number} [options.concurrency] number of parts that are sent at the same time
   * @param {string} [options.resume] id of an earlier upload of this file
   * @param {AbortSignal} [options.signal]
   * @returns {Promise<Upload>} the completed upload
   */
  async upload(blob, options = {}) {
    const { name = blob.name, sha256, onProgress, onStart, concurrency = 4, resume } = options;
    const controller = linkedController(options.signal);
    const { signal } = controller;
    const count = progressCounter(blob.size, onProgress, signal);
    try {
      const file = { filename: name, size: blob.size, sha256 };
      let upload = await (resume ? this.#resumeUpload(resume, file, signal) : this.#beginUpload(file, signal));
      onStart?.(upload);
      if (upload.status === 'COMPLETE') {
        count(blob.size);
        return upload;
      }
      if (upload.multipart) await this.#sendParts(blob, upload.id, upload.multipart, concurrency, count, signal);
      else upload = await this.#sendSingle(blob, upload, file, onStart, count, signal);
      return await this.#request('POST', `/uploads/${upload.id}/complete`, { signal, patience: this.#patience });
    } catch (error) {
      controller.abort(error); // stops the other parts
      throw error;
    } finally {
      controller.release();
    }
  }

  /** @param {string} id @param {SignalOption} [options] @returns {Promise<Upload>} */
  uploadStatus(id, { signal } = {}) {
    return this.#request('GET', uploadPath(id), { signal });
  }

  /**
   * Delete an upload with its bytes.
   *
   * @param {string} id @param {SignalOption} [options] @returns {Promise<null>}
   */
  deleteUpload(id, { signal } = {}) {
    return this.#request('DELETE', uploadPath(id), { signal });
  }

  /**
   * List uploads, newest first. For the next page, pass the id of the last upload as `from`.
   *
   * @param {SignalOption & {limit?: number, from?: string}} [options]
   * @returns {Promise<{uploads: UploadSummary[], next: string | null}>}
   */
  uploads({ limit, from, signal } = {}) {
    return this.#request('GET', '/uploads', { query: { limit, from }, signal });
  }

  /**
   * Start an execution. Every request has an idempotency key, so a retry does not start a second execution.
   *
   * @param {ExecutionRequest & {idempotencyKey?: string}} request @returns {Promise<Execution>}
   */
  start({ idempotencyKey = randomKey(), signal, ...request }) {
    const headers = { 'idempotency-key': idempotencyKey };
    return this.#request('POST', '/executions', { json: request, headers, signal });
  }

  /**
   * Return the expected ranges, seconds and USD without starting an execution.
   *
   * @param {ExecutionRequest} request
   * @returns {Promise<{model: Model, quote: Quote, recordings: Record<string, any>[]}>}
   */
  quote({ signal, ...request }) {
    return this.#request('POST', '/executions', { query: { dry_run: true }, json: request, signal });
  }

  /** @param {string} id @param {SignalOption} [options] @returns {Promise<Execution>} */
  status(id, { signal } = {}) {
    return this.#request('GET', executionPath(id), { signal });
  }

  /**
   * List executions, newest first. For the next page, pass the id of the last execution as `from`.
   *
   * @param {SignalOption & {limit?: number, from?: string}} [options]
   * @returns {Promise<{executions: Record<string, any>[], next: string | null}>}
   */
  list({ limit, from, signal } = {}) {
    return this.#request('GET', '/executions', { query: { limit, from }, signal });
  }

  /**
   * Poll until an execution has succeeded. Throws the execution's error if it failed or was cancelled, and `NotStarted`
   * if it stays PENDING, which means that it was accepted but not started. Time in the queue (`queue`) is no such time.
   *
   * @param {string} id
   * @param {SignalOption & {onProgress?: (execution: Execution) => void, timeout?: number,
   *   startTimeout?: number}} [options] `timeout` in ms; `startTimeout` in ms of waiting while the execution is PENDING
   * @returns {Promise<Execution>}
   */
  async wait(id, { onProgress, timeout = Infinity, startTimeout = 900_000, signal } = {}) {
    const controller = linkedController(signal);
    const onTimeout = () => controller.abort(new AnemonefishError('Timeout', `${id} did not end within ${timeout} ms`));
    const timer = timeout < 2 ** 31 ? setTimeout(onTimeout, timeout) : undefined; // a longer timer would fire at once
    try {
      const request = { signal: controller.signal, patience: this.#patience };
      for (let polls = 0, pending = 0; ; polls += 1) {
        const { document, retryAfter } = await this.#send('GET', executionPath(id), request);
        onProgress?.(document);
        if (document.status === 'SUCCEEDED') return document;
        if (['FAILED', 'CANCELLED'].includes(document.status)) throw executionError(document);
        const ms = Math.max(1000 * retryAfter, retryDelay(polls));
        pending = document.status === 'PENDING' && !document.queue ? pending + ms : 0;
        if (pending > startTimeout) throw notStartedError(id, startTimeout);
        await this.#pause(ms, controller.signal);
      }
    } finally {
      clearTimeout(timer);
      controller.release();
    }
  }

  /**
   * Return events, metadata and the settings that decided; with the predictions unless `predictions` is false.
   *
   * @param {string} id @param {ResultSelector & {predictions?: boolean}} [selector] @returns {Promise<Results>}
   */
  results(id, { recording, decision, predictions, signal } = {}) {
    const query = { recording, decision, predictions };
    return this.#request('GET', `${executionPath(id)}/results`, { query, signal });
  }

  /**
   * Return a link to a result file. The link is valid for an hour and needs no key.
   *
   * @param {string} id @param {Format} format @param {ResultSelector} [selector]
   * @returns {Promise<{format: Format, filename: string, url: string, expires_at: string}>}
   */
  file(id, format, { recording, decision, signal } = {}) {
    const query = { format, recording, decision, redirect: false };
    return this.#request('GET', `${executionPath(id)}/results`, { query, signal });
  }

  /** @param {string} id @param {Format} format @param {ResultSelector} [selector] @returns {Promise<Response>} */
  async download(id, format, selector = {}) {
    const { url } = await this.file(id, format, selector);
    const get = async () => {
      const response = await fetch(url, { signal: selector.signal });
      return response.ok ? response : throwS3Error(response.status, await response.text());
    };
    return this.#retry(() => withNetworkError(get), selector.signal, isRetryableByS3);
  }

  /**
   * Return links to the job-level files: summary, combined tables, clips, pictures. The links are valid for an hour.
   *
   * @param {string} id @param {SignalOption} [options]
   * @returns {Promise<{files: {name: string, url: string}[], expires_at: string, recordings: RecordingOutcome[]}>}
   */
  files(id, { signal } = {}) {
    return this.#request('GET', `${executionPath(id)}/files`, { signal });
  }

  /**
   * Yield a link to every file of an execution: job-level files, and the results of each recording in every format that
   * was written. Pages are requested as they are needed, because their links are valid for an hour. `url` is null for a
   * file in the archive; see `restore`.
   *
   * @param {string} id @param {SignalOption} [options]
   * @returns {AsyncGenerator<{name: string, url: string | null, size: number}, void>}
   */
  async *allFiles(id, { signal } = {}) {
    /** @type {string | null} */
    let path = `${executionPath(id)}/files?all=true`;
    while (path) {
      /** @type {{files: {name: string, url: string | null, size: number}[], next: string | null}} */
      const page = await this.#request('GET', path, { signal });
      yield* page.files;
      path = page.next;
    }
  }

  /**
   * Find events again with other settings, from the stored scores. Pass the answer's `decision` to `results`, `file`
   * and `download`.
   *
   * @param {string} id @param {Record<string, unknown>} settings @param {ResultSelector} [selector]
   * @returns {Promise<Results>}
   */
  decide(id, settings, { recording, signal } = {}) {
    return this.#request('POST', `${executionPath(id)}/decisions`, { query: { recording }, json: settings, signal });
  }

  /**
   * Return a link to the sound of a recording from `start` to `stop` in seconds, at most a minute: FLAC with the samples,
   * the rate and the channels of the recording. The link is valid for an hour and needs no key.
   *
   * @param {string} id @param {number} recording its number in the execution
   * @param {number} start @param {number} stop @param {SignalOption} [options]
   * @returns {Promise<Clip>}
   */
  clip(id, recording, start, stop, { signal } = {}) {
    return this.#request('GET', recordingPath(id, recording, 'clip'), { query: { start, stop, redirect: false }, signal });
  }

  /**
   * Return a link to the spectrogram from `start` to `stop` in seconds around the band of the model: a PNG without axes,
   * whose lower and upper edges are `low_hz` and `high_hz`.
   *
   * @param {string} id @param {number} recording @param {number} start @param {number} stop
   * @param {SignalOption} [options]
   * @returns {Promise<Clip & {low_hz: number, high_hz: number}>}
   */
  spectrogram(id, recording, start, stop, { signal } = {}) {
    const path = recordingPath(id, recording, 'spectrogram');
    return this.#request('GET', path, { query: { start, stop, redirect: false }, signal });
  }

  /**
   * Draw a sample of events and of stretches between them, to judge. It is the sample of `anemonefish review`: the same
   * `seed` with more `clips` gives the same units and more.
   *
   * @param {string} id @param {SignalOption & {clips?: number, seed?: number, class?: string}} [options] `class` is one of
   *   several target classes of the results; the first unless given
   * @returns {Promise<{review: string, model: string, target_class: string, seed: number, stretches: number,
   *   units: ReviewUnit[]}>}
   */
  reviewUnits(id, { clips, seed, class: label, signal } = {}) {
    return this.#request('GET', `${executionPath(id)}/review`, { query: { clips, seed, class: label }, signal });
  }

  /**
   * Store up to 500 verdicts of one reviewer. A later verdict on a stretch replaces an earlier one; null deletes it.
   *
   * @param {string} id @param {SignalOption & {reviewer: string, verdicts: Verdict[]}} request
   * @returns {Promise<{stored: number, total: number}>}
   */
  putVerdicts(id, { signal, ...request }) {
    return this.#request('PUT', `${executionPath(id)}/verdicts`, { json: request, signal });
  }

  /**
   * Return the verdicts of all reviewers, from all pages.
   *
   * @param {string} id @param {SignalOption} [options]
   * @returns {Promise<StoredVerdict[]>}
   */
  async verdicts(id, { signal } = {}) {
    const found = [];
    /** @type {string | null} */
    let path = `${executionPath(id)}/verdicts`;
    while (path) {
      /** @type {{verdicts: StoredVerdict[], next: string | null}} */
      const page = await this.#request('GET', path, { signal });
      found.push(...page.verdicts);
      path = page.next;
    }
    return found;
  }

  /**
   * Return a link to a table of the verdicts: `verdicts` for `anemonefish review --verdicts` and `calibrate-scores`,
   * `labels` for `anemonefish train`. `clips`, `seed` and `class` name the sample that was judged.
   *
   * @param {string} id @param {'verdicts' | 'labels'} format
   * @param {SignalOption & {clips?: number, seed?: number, class?: string}} [options]
   * @returns {Promise<{name: string, url: string, expires_at: string, verdict_count: number, left_out: number}>}
   */
  verdictFile(id, format, { clips, seed, class: label, signal } = {}) {
    const query = { format, clips, seed, class: label, redirect: false };
    return this.#request('GET', `${executionPath(id)}/verdicts`, { query, signal });
  }

  /** @param {string} id @param {SignalOption} [options] @returns {Promise<Execution>} */
  cancel(id, { signal } = {}) {
    return this.#request('DELETE', executionPath(id), { signal, isRetryable: isThrottled });
  }

  /** @param {string} id @param {SignalOption} [options] @returns {Promise<Execution>} */
  resume(id, { signal } = {}) {
    return this.#request('POST', `${executionPath(id)}/resume`, { signal, isRetryable: isThrottled });
  }

  /**
   * Ask for the results that are in the archive; `restore` of the answer says when they can be downloaded.
   *
   * @param {string} id @param {SignalOption & {tier?: 'standard' | 'bulk'}} [options] `standard` takes up to 12 hours,
   *   `bulk` up to 48 and costs less
   * @returns {Promise<Execution>}
   */
  restore(id, { tier, signal } = {}) {
    return this.#request('POST', `${executionPath(id)}/restore`, { query: { tier }, signal });
  }

  /**
   * @param {SignalOption} [options]
   * @returns {Promise<{models: {name: string, versions: string[], aliases: Record<string, string>}[]}>}
   */
  models({ signal } = {}) {
    return this.#request('GET', '/models', { signal });
  }

  /** Return what the key uses, with its limits. @param {SignalOption} [options] @returns {Promise<Usage>} */
  usage({ signal } = {}) {
    return this.#request('GET', '/usage', { signal });
  }

  /**
   * @param {string} name @param {string} version or an alias @param {SignalOption} [options] @returns {Promise<any>}
   */
  model(name, version, { signal } = {}) {
    return this.#request('GET', `/models/${encodeURIComponent(name)}/${encodeURIComponent(version)}`, { signal });
  }

  /**
   * Analyse one clip of up to 4 MB in one request.
   *
   * @param {Blob & {name?: string}} blob
   * @param {SignalOption & {name?: string, field?: 'audio_file' | 'audio', config?: Record<string, unknown>}} [options]
   * @returns {Promise<Detections>}
   */
  predict(blob, { name = blob.name ?? 'clip.wav', field = 'audio_file', config, signal } = {}) {
    const form = new FormData();
    form.append(field, blob, name);
    if (config) form.append('config', JSON.stringify(config));
    return this.#request('POST', '/inference/predict', { form, signal });
  }

  /**
   * Begin an upload. A retry may begin a second, unused upload, which is deleted within a day.
   *
   * @param {FileInfo} file @param {AbortSignal} signal @returns {Promise<Upload>}
   */
  #beginUpload(file, signal) {
    return this.#request('POST', '/uploads', { json: file, signal, patience: this.#patience });
  }

  /**
   * Resume an upload. A single PUT starts as a new upload, because nothing was stored and its link cannot be renewed.
   *
   * @param {string} id @param {FileInfo} file @param {AbortSignal} signal @returns {Promise<Upload>}
   */
  async #resumeUpload(id, file, signal) {
    const path = uploadPath(id);
    const patience = this.#patience;
    const upload = await this.#request('GET', path, { signal, patience });
    const filename = file.filename ?? upload.filename;
    if (upload.filename !== filename || upload.size !== file.size) {
      const [earlier, given] = [upload, { ...file, filename }].map((one) => `${one.filename}, ${one.size} bytes`);
      throw new AnemonefishError('OtherFile', `${id} is the upload of ${earlier}; the given file is ${given}`);
    }
    if (upload.status === 'COMPLETE') return upload;
    try {
      const query = { from: 1 };
      return { ...upload, multipart: await this.#request('GET', `${path}/parts`, { query, signal, patience }) };
    } catch (error) {
      if (!isOneOf(error, 'WrongState')) throw error;
      return this.#beginUpload({ ...file, filename }, signal);
    }
  }

  /**
   * Send a file as one PUT. An expired link cannot be renewed, so a new upload is begun.
   *
   * @param {Blob} blob @param {Upload} upload @param {FileInfo} file
   * @param {((upload: Upload) => void) | undefined} onStart @param {ByteCounter} count @param {AbortSignal} signal
   * @returns {Promise<Upload>} the upload that has the bytes
   */
  async #sendSingle(blob, upload, file, onStart, count, signal) {
    const refusals = new RefusedLinks(this.#pause, signal);
    for (;;) {
      const receivedAt = Date.now();
      let startedAt = receivedAt;
      let noAnswer = false;
      const send = async () => {
        startedAt = Date.now();
        try {
          await putBlob(/** @type {PutLink} */ (upload.put), blob, count, signal);
        } catch (error) {
          // A link writes only once. After a lost answer, this error means that the bytes have arrived.
          if (noAnswer && isOneOf(error, 'PreconditionFailed')) return count(blob.size);
          noAnswer ||= isOneOf(error, 'NetworkError');
          throw error;
        }
      };
      try {
        await this.#retry(send, signal, isRetryableByS3, this.#patience);
        return upload;
      } catch (error) {
        await refusals.add(error, startedAt - receivedAt);
        upload = await this.#beginUpload({ ...file, filename: upload.filename }, signal);
        onStart?.(upload);
      }
    }
  }

  /**
   * Send the missing parts. Each page is requested just before it is needed, because links are valid for only an hour.
   *
   * @param {Blob} blob @param {string} id @param {PartPage} first @param {number} concurrency
   * @param {ByteCounter} count @param {AbortSignal} signal
   */
  async #sendParts(blob, id, first, concurrency, count, signal) {
    const partSize = first.parts[0].size; // all parts except the last have this size
    const patience = this.#patience;
    for (let page = first; ; page = await this.#request('GET', page.next, { signal, patience })) {
      const query = { from: page.parts[0].number };
      const fetchPage = () => this.#request('GET', `/uploads/${id}/parts`, { query, signal, patience });
      const links = new PartLinks(page, fetchPage);
      await forEachConcurrently(page.parts, concurrency, async ({ number, size, etag }) => {
        const start = (number - 1) * partSize;
        if (etag) count(size);
        else await this.#sendPart(number, blob.slice(start, start + size), links, count, signal);
      });
      if (!page.next) return;
    }
  }

  /**
   * @param {number} number @param {Blob} bytes @param {PartLinks} links @param {ByteCounter} count
   * @param {AbortSignal} signal
   */
  async #sendPart(number, bytes, links, count, signal) {
    const refusals = new RefusedLinks(this.#pause, signal);
    for (;;) {
      if (links.expiresSoon(number)) await links.renew(number, links.get(number).url);
      const { url, receivedAt } = links.get(number);
      let startedAt = receivedAt;
      const send = () => {
        startedAt = Date.now();
        return putBlob({ url, headers: {} }, bytes, count, signal);
      };
      try {
        return await this.#retry(send, signal, isRetryableByS3, this.#patience);
      } catch (error) {
        await refusals.add(error, startedAt - receivedAt);
        await links.renew(number, url);
      }
    }
  }

  /** @param {string} method @param {string} path @param {RequestOptions} request @returns {Promise<any>} */
  async #request(method, path, request) {
    return (await this.#send(method, path, request)).document;
  }

  /**
   * @param {string} method @param {string} path @param {RequestOptions} request
   * @returns {Promise<{document: any, retryAfter: number}>}
   */
  #send(method, path, { query = {}, json, form, headers, signal, isRetryable = isRetryableByApi, patience = 0 }) {
    const url = this.#url + path + queryString(query);
    const request = async () => {
      const sent = new Headers({ ...(await this.#headers?.()), ...headers });
      if (this.#key) sent.set('x-api-key', this.#key);
      if (json) sent.set('content-type', 'application/json'); // for a form, fetch sets type and boundary
      const body = json ? JSON.stringify(json) : form;
      // The API does not redirect these requests. The key must not be sent to another server that redirects them.
      const options = { method, headers: sent, body, signal, redirect: /** @type {const} */ ('error') };
      return withNetworkError(async () => readAnswer(await fetch(url, options)));
    };
    return this.#retry(request, signal, isRetryable, patience);
  }

  /**
   * Retry work that may succeed the next time, with growing delays. If there is no answer, retry until the
   * waiting times add up to `patience`; a sleeping device and earlier tries do not count.
   *
   * @template T
   * @param {() => Promise<T>} work @param {AbortSignal | undefined} signal @param {(error: any) => boolean} isRetryable
   * @param {number} [patience] ms
   * @returns {Promise<T>}
   */
  async #retry(work, signal, isRetryable, patience = 0) {
    let tries = 0;
    let noAnswer = { times: 0, waited: 0 };
    for (;;) {
      signal?.throwIfAborted();
      try {
        return await work();
      } catch (/** @type {any} */ error) {
        signal?.throwIfAborted();
        if (!isRetryable(error)) throw error;
        const offline = patience > 0 && isOneOf(error, 'NetworkError');
        const count = offline ? noAnswer.times++ : tries++;
        const ms = Math.max(1000 * error.retryAfter, retryDelay(count));
        if (offline ? (noAnswer.waited += ms) > patience : tries === MAX_TRIES) throw error;
        if (!offline) noAnswer = { times: 0, waited: 0 };
        await this.#pause(ms, signal);
      }
    }
  }
}

/** The links of a page of parts. If several links have expired at the same time, the page is requested only once. */
class PartLinks {
  /** @type {Map<number, {url: string, receivedAt: number}>} */
  #links = new Map();
  #fetchPage;
  /** @type {Promise<void> | null} */
  #renewing = null;

  /** @param {PartPage} page @param {() => Promise<PartPage>} fetchPage */
  constructor(page, fetchPage) {
    this.#store(page);
    this.#fetchPage = fetchPage;
  }

  /** @param {number} number */
  get(number) {
    return /** @type {{url: string, receivedAt: number}} */ (this.#links.get(number));
  }

  /**
   * Computed from the lifetime in the link and the time since it was received: this machine's clock may be wrong.
   *
   * @param {number} number
   */
  expiresSoon(number) {
    const { url, receivedAt } = this.get(number);
    const lifetime = 1000 * Number(new URL(url).searchParams.get('X-Amz-Expires'));
    return lifetime > 2 * RENEW_BEFORE_END_MS && Date.now() - receivedAt > lifetime - RENEW_BEFORE_END_MS;
  }

  /** @param {number} number @param {string} stale */
  async renew(number, stale) {
    if (this.get(number).url !== stale) return; // another part has renewed it
    this.#renewing ??= this.#fetchPage().then((page) => this.#store(page)).finally(() => (this.#renewing = null));
    await this.#renewing;
  }

  /** @param {PartPage} page */
  #store({ parts }) {
    const receivedAt = Date.now();
    for (const { number, url } of parts) this.#links.set(number, { url, receivedAt });
  }
}

/**
 * Decides whether a refused link is replaced by a new one. An old link has expired and is always replaced. A young link
 * is replaced once, because a second refusal means that the request is forbidden. If S3 says that a young link has
 * expired, it is replaced up to ten times.
 */
class RefusedLinks {
  #young = 0;
  #pause;
  #signal;

  /** @param {(ms: number, signal?: AbortSignal) => Promise<unknown>} pause @param {AbortSignal} signal */
  constructor(pause, signal) {
    this.#pause = pause;
    this.#signal = signal;
  }

  /**
   * Throw the error, or return when a new link may be requested.
   *
   * @param {any} error @param {number} age of the link when it was used, in ms
   */
  async add(error, age) {
    if (!isRefused(error)) throw error;
    if (age >= YOUNG_LINK_MS) {
      this.#young = 0;
      return;
    }
    this.#young += 1;
    if (this.#young > (saysExpired(error) ? MAX_YOUNG_EXPIRED : 1)) throw error;
    if (this.#young > 1) await this.#pause(retryDelay(this.#young - 2), this.#signal);
  }
}

// --- which errors are retried --------------------------------------------------------------------------------

/** @param {any} error @param {...string} names */
const isOneOf = (error, ...names) => error instanceof AnemonefishError && names.includes(error.error);
/**
 * Whether to retry a request to the API that may be repeated. API Gateway answers 500 with `Retry-After` when it could not
 * call a function; a 500 of a function has none.
 * @param {any} error
 */
const isRetryableByApi = (error) =>
  isOneOf(error, 'NetworkError') ||
  [429, 502, 503, 504].includes(error.status) ||
  (error.status === 500 && error.retryAfter > 0);
/** Whether to retry a request that must not run twice: only if it was not begun. @param {any} error */
const isThrottled = (error) => error.status === 429;
/**
 * Whether to retry a request to S3. `RequestTimeout` (400) means that the connection stalled,
 * `ConditionalRequestConflict` (409) that an earlier try is still running.
 *
 * @param {any} error
 */
const isRetryableByS3 = (error) =>
  isOneOf(error, 'NetworkError', 'RequestTimeout', 'ConditionalRequestConflict') ||
  error.status === 429 ||
  error.status >= 500;
/** `ExpiredToken` (400) means that the credentials that signed the link have expired. @param {any} error */
const isRefused = (error) => error.status === 403 || isOneOf(error, 'ExpiredToken');
/** @param {any} error */
const saysExpired = (error) => isOneOf(error, 'ExpiredToken') || /\bexpired\b/i.test(error.message);

/**
 * Return the delay before the next try or poll in ms: 1 s at first, 15 s at most, with a random factor.
 *
 * @param {number} count
 */
const retryDelay = (count) => Math.min(15_000, 1000 * 1.5 ** count) * (0.75 + Math.random() / 2);

// --- requests ------------------------------------------------------------------------------------------------

/** @param {string} id */
const uploadPath = (id) => `/uploads/${encodeURIComponent(id)}`;

/** @param {string} id */
const executionPath = (id) => `/executions/${encodeURIComponent(id)}`;

/** @param {string} id @param {number} recording @param {string} what */
const recordingPath = (id, recording, what) => `${executionPath(id)}/recordings/${recording}/${what}`;

/** @param {Record<string, any>} query */
function queryString(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : '';
}

/** Return an idempotency key. `randomUUID` is missing in Node 18 and on pages without https. */
function randomKey() {
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now()}-${Math.random()}-${Math.random()}`;
}

/**
 * Turn the TypeError that `fetch` throws without an answer into a `NetworkError`.
 *
 * @template T
 * @param {() => Promise<T>} request @returns {Promise<T>}
 */
async function withNetworkError(request) {
  try {
    return await request();
  } catch (/** @type {any} */ cause) {
    if (cause instanceof AnemonefishError) throw cause;
    throw new AnemonefishError('NetworkError', `no answer: ${cause?.message}`, { cause });
  }
}

/** @param {Response} response */
async function readAnswer(response) {
  const { ok, status, headers } = response;
  const document = parseJson(await response.text());
  const retryAfter = retryAfterSeconds(headers.get('retry-after'));
  if (status === 204 || (ok && document)) return { document, retryAfter };
  const { error = 'UnexpectedAnswer', message = `HTTP status ${status}`, details, request_id } = document ?? {};
  throw new AnemonefishError(error, message, { status, details, requestId: request_id, retryAfter });
}

/** @param {string} text */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // for example a proxy's page
  }
}

/** `Retry-After` is seconds or a date. @param {string | null} value */
function retryAfterSeconds(value) {
  const seconds = Number.isNaN(Number(value)) ? (Date.parse(value ?? '') - Date.now()) / 1000 : Number(value);
  return Math.min(3600, Math.max(0, seconds)) || 0;
}

/** Throw the error in S3's XML. @param {number} status @param {string} text @returns {never} */
function throwS3Error(status, text) {
  const [code, message] = ['Code', 'Message'].map((tag) => text.match(`<${tag}>([^<]*)</${tag}>`)?.[1]);
  throw new AnemonefishError(code ?? 'StorageRefused', message ?? `S3 answered with status ${status}`, { status });
}

/** @param {Execution} execution */
function executionError({ id, status, error }) {
  if (error) return new AnemonefishError(error.error, error.message);
  return new AnemonefishError(status === 'CANCELLED' ? 'Cancelled' : 'Failed', `${id} is ${status}`);
}

/** @param {string} id @param {number} ms */
function notStartedError(id, ms) {
  const problem = `${id} has been PENDING for more than ${Math.round(ms / 1000)} s: it was accepted but not started`;
  const remedy = 'start it again with the same idempotencyKey, or wait again later: each request starts a new try';
  return new AnemonefishError('NotStarted', `${problem}; ${remedy}`);
}

// --- bytes ---------------------------------------------------------------------------------------------------

/**
 * PUT a blob; the browser sets `content-length`. Bytes of a failed try are subtracted from the progress.
 *
 * @param {PutLink} link @param {Blob} blob @param {ByteCounter} count @param {AbortSignal} signal
 */
async function putBlob({ url, headers }, blob, count, signal) {
  let counted = 0;
  /** @type {ByteCounter} */
  const report = (sent) => {
    count(sent - counted);
    counted = sent;
  };
  const send = 'XMLHttpRequest' in globalThis ? putByXhr : putByFetch;
  try {
    const { status, text } = await withNetworkError(() => send(url, headers, blob, report, signal));
    if (status < 200 || status > 299) throwS3Error(status, text);
    report(blob.size);
  } catch (error) {
    report(0);
    throw error;
  }
}

/**
 * @param {string} url @param {PutLink['headers']} headers @param {Blob} body
 * @param {ByteCounter} _ not used, because fetch reports no progress
 * @param {AbortSignal} signal
 */
async function putByFetch(url, headers, body, _, signal) {
  const response = await fetch(url, { method: 'PUT', headers, body, signal });
  return { status: response.status, text: await response.text() };
}

/**
 * PUT by XMLHttpRequest, the only way to get progress within a request.
 *
 * @param {string} url @param {PutLink['headers']} headers @param {Blob} body @param {ByteCounter} report
 * @param {AbortSignal} signal
 * @returns {Promise<{status: number, text: string}>}
 */
async function putByXhr(url, headers, body, report, signal) {
  signal.throwIfAborted();
  const xhr = new XMLHttpRequest();
  const abort = () => xhr.abort();
  const sent = new Promise((resolve, reject) => {
    xhr.onload = () => resolve({ status: xhr.status, text: xhr.responseText });
    xhr.onerror = () => reject(new TypeError('the connection broke'));
    xhr.onabort = () => reject(signal.reason);
  });
  xhr.upload.onprogress = ({ loaded }) => report(loaded);
  xhr.onloadend = () => signal.removeEventListener('abort', abort);
  signal.addEventListener('abort', abort);
  xhr.open('PUT', url);
  for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
  xhr.send(body);
  return sent;
}

/**
 * Return a function that adds up bytes and reports them until the signal aborts.
 *
 * @param {number} total @param {((sent: number, total: number) => void) | undefined} onProgress
 * @param {AbortSignal} signal @returns {ByteCounter}
 */
function progressCounter(total, onProgress, signal) {
  let sent = 0;
  return (bytes) => {
    sent += bytes;
    if (bytes && !signal.aborted) onProgress?.(sent, total);
  };
}

// --- concurrency ---------------------------------------------------------------------------------------------

/**
 * Process all items, `width` at a time.
 *
 * @template T
 * @param {T[]} items @param {number} width @param {(item: T) => Promise<void>} work
 */
async function forEachConcurrently(items, width, work) {
  const queue = items.values(); // shared, so each item is taken by one worker
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** Return a controller that also aborts with `signal`: AbortSignal.any is too new. @param {AbortSignal} [signal] */
function linkedController(signal) {
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
