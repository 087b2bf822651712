/**
 * Runs the JavaScript client against a served API, for test_javascript.py.
 *
 * Reads one JSON document from standard input, runs the scenario that it names, writes files to `out` and prints what
 * it observed as JSON. The assertions are in the test.
 */

import { openAsBlob } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { Anemonefish, AnemonefishError } from '../../clients/javascript/anemonefish.js';

const FORMATS = ['json', 'csv', 'scores', 'raven', 'audacity', 'classes', 'kaleidoscope', 'longterm', 'parquet'];

/** Wait like the client, but at most 50 ms. */
const pause = (ms, signal) =>
  new Promise((resolve, reject) => {
    setTimeout(() => (signal?.aborted ? reject(signal.reason) : resolve()), Math.min(ms, 50));
  });

/** Number of PUTs to S3, and of requests to other servers than the API that have a key. */
const puts = { count: 0, keys: 0 };
const originalFetch = globalThis.fetch;
globalThis.fetch = (url, options = {}) => {
  if (options.method === 'PUT') puts.count += 1;
  if (!String(url).startsWith(task.url) && new Headers(options.headers).has('x-api-key')) puts.keys += 1;
  return originalFetch(url, options);
};

async function download(client, execution, folder, selector) {
  for (const format of FORMATS) {
    const response = await client.download(execution, format, selector);
    await writeFile(join(task.out, `${folder}-${format}`), Buffer.from(await response.arrayBuffer()));
  }
}

const scenarios = {
  /** Upload and analyse a long recording; the upload is interrupted once. */
  async recording(client) {
    const file = await openAsBlob(task.recording);
    const name = basename(task.recording);
    const stop = new AbortController();
    const interrupted = { sent: 0, id: null, reason: null };
    await client
      .upload(file, {
        name,
        concurrency: 2,
        signal: stop.signal,
        onStart: ({ id }) => (interrupted.id = id),
        onProgress: (sent) => {
          interrupted.sent = sent;
          if (sent > 40e6) stop.abort('enough');
        },
      })
      .catch((reason) => (interrupted.reason = reason));
    const before = puts.count;
    const progress = [];
    const upload = await client.upload(file, {
      resume: interrupted.id,
      onProgress: (...counts) => progress.push(counts),
    });
    const sentAgain = puts.count - before;

    const request = { recordings: [upload.id], settings: { max_range_seconds: 200 } };
    const quote = await client.quote(request);
    const started = await client.start({ ...request, idempotencyKey: task.idempotencyKey });
    const again = await client.start({ ...request, idempotencyKey: task.idempotencyKey });
    const polls = [];
    const execution = await client.wait(started.id, { onProgress: (polled) => polls.push(polled), timeout: 120_000 });
    const results = await client.results(execution.id);
    await download(client, execution.id, 'results');
    const { files } = await client.files(execution.id);
    const decided = await client.decide(execution.id, task.changes);
    await download(client, execution.id, 'decided', { decision: decided.decision });

    const listed = await client.list({ limit: 100 });
    const { models } = await client.models();
    const model = await client.model('reef', 'production');
    return {
      interrupted, progress, sentAgain, upload, quote, started, again, polls, execution, results, files, decided,
      listed, models, model,
    };
  },

  /** Cancel a running job and resume it. */
  async stopped(client) {
    const upload = await client.upload(new File([await readFile(task.recording)], 'held.wav'));
    const { id } = await client.start({ recordings: [upload.id], settings: { max_range_seconds: 1 } });
    while ((await client.status(id)).ranges_done < 4) await pause(50);
    const cancelled = await client.cancel(id);
    const waited = await client.wait(id).catch((error) => error);
    const early = await client.results(id).catch((error) => error);
    const resumed = await client.resume(id);
    const done = await client.wait(id);
    const late = await client.cancel(id).catch((error) => error);
    return { cancelled, waited: errorFields(waited), early: errorFields(early), resumed, done, late: errorFields(late) };
  },

  /** Analyse one clip, with the client and as the lab's front end sends it. */
  async clip(client) {
    const clip = new Blob([await readFile(task.recording)], { type: 'audio/wav' });
    const name = basename(task.recording);
    const byClient = await client.predict(clip, { name, config: task.changes });
    const byFrontEnd = {};
    for (const path of ['/predict', '/inference/predict']) {
      for (const field of ['audio_file', 'audio']) {
        const form = new FormData();
        form.append(field, clip, name);
        form.append('config', JSON.stringify(task.changes));
        const response = await fetch(task.url + path, {
          method: 'POST',
          headers: { 'x-api-key': task.key },
          body: form,
        });
        byFrontEnd[`${path} ${field}`] = { status: response.status, document: await response.json() };
      }
    }
    const refused = await client.predict(new Blob(['RIFF']), { name: 'a.wav' }).catch((error) => error);
    const withUnknownKey = new Anemonefish({ url: task.url, key: 'x'.repeat(20) });
    const unknown = await withUnknownKey.models().catch((error) => error);
    const typo = await client.quote({ recordings: [] }).catch((error) => error);
    return { byClient, byFrontEnd, refused: errorFields(refused), unknown: errorFields(unknown), typo: errorFields(typo) };
  },
};

function errorFields(error) {
  const { error: name, message, status, details, requestId } = error;
  return { ours: error instanceof AnemonefishError, error: name, message, status, details, requestId };
}

let text = '';
for await (const chunk of process.stdin) text += chunk;
const task = JSON.parse(text);
const observed = await scenarios[task.scenario](new Anemonefish({ url: task.url, key: task.key, pause }));
console.log(JSON.stringify({ ...observed, keysElsewhere: puts.keys }));
