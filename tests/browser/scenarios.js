/**
 * Runs in a page of another origin than the API and S3, for test_browser.py.
 *
 * Gets one task from its own server, runs the scenario that it names and sends what it observed to its server. The
 * assertions are in the test.
 */

import { Anemonefish, AnemonefishError } from './anemonefish.js';

const task = await (await fetch('task.json')).json();
const UNKNOWN = 'e-aaaaaaaaaaaaaaaaaaaaaaaaaa'; // an execution id that does not exist
const client = new Anemonefish({ url: task.url, key: task.key });
const recording = async () => new File([await (await fetch('recording.wav')).blob()], task.filename);

const scenarios = {
  /** Upload and analyse a long recording with the client. The first link of a part has expired. */
  async recording() {
    const progress = [];
    const refusals = expireFirstLink();
    const upload = await client.upload(await recording(), { onProgress: (...counts) => progress.push(counts) });
    const { id } = await client.start({ recordings: [upload.id] });
    const polls = [];
    const execution = await client.wait(id, { onProgress: ({ status }) => polls.push(status) });
    const results = await client.results(id);
    const decided = await client.decide(id, task.changes);
    const csv = await (await client.download(id, 'csv')).text();
    const parquet = (await (await client.download(id, 'parquet')).arrayBuffer()).byteLength;
    const decidedCsv = await (await client.download(id, 'csv', { decision: decided.decision })).text();
    const { files } = await client.files(id);
    const summary = await (await fetch(files.find(({ name }) => name === 'summary.csv').url)).text();
    return { progress, refusals, upload, polls, execution, results, decided, csv, parquet, decidedCsv, summary };
  },

  /** One clip, as the lab's newest front end sends it. */
  async clip() {
    const clip = await recording();
    const url = await dataUrl(clip);
    const base64 = url.slice(url.indexOf(',') + 1);
    const form = (audio, ...name) => {
      const made = new FormData();
      made.append('audio_file', audio, ...name);
      made.append('config', JSON.stringify(task.settings));
      return { body: made };
    };
    const json = (document) => ({
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...document, ...task.settings }),
    });
    const requests = {
      'audio_data in JSON': json({ audio_data: base64 }),
      'audio_base64 in JSON': json({ audio_base64: base64 }),
      'a data: URL in JSON': json({ audio_data: url }),
      'audio_file in a form, as a field': form(base64),
      'audio_file in a form, as a file': form(new Blob([base64], { type: 'text/plain' }), 'clip.wav'),
    };
    const answers = {};
    for (const path of ['/predict', '/inference/predict']) {
      for (const [name, { headers, body }] of Object.entries(requests)) {
        const credentials = { 'x-api-key': task.key, Authorization: `Bearer ${task.token}` };
        const response = await fetch(task.url + path, { method: 'POST', headers: { ...credentials, ...headers }, body });
        answers[`${path}: ${name}`] = { status: response.status, document: await response.json() };
      }
    }
    return { answers, byClient: await client.predict(clip, { config: task.changes }) };
  },

  /** Collect what a page can read of error answers. */
  async refusals() {
    const withUnknownKey = new Anemonefish({ url: task.url, key: 'x'.repeat(20) });
    return {
      wrongKey: await caught(withUnknownKey.models()),
      wrongKeyOfAClip: await caught(withUnknownKey.predict(new Blob(['RIFF']))),
      noKey: await answerTo('/models', { headers: { Authorization: `Bearer ${task.token}` } }),
      unreadable: await caught(client.predict(new Blob(['RIFF']), { name: 'a.wav' })),
      unknown: await caught(client.cancel(UNKNOWN)),
      openWithKey: await answerTo('/health', { headers: { 'x-api-key': task.key } }),
      throttled: await throttled(),
      expiredGet: await answerOf(task.expired.get),
      expiredPut: await answerOf(task.expired.put, { method: 'PUT', body: 'bytes' }),
    };
  },

  /** Make requests that only pages of allowed origins may make; the value is null if a request succeeds. */
  async requests() {
    const json = { 'content-type': 'application/json', 'x-api-key': task.key };
    return {
      open: await caught(fetch(`${task.url}/health`)),
      key: await caught(fetch(`${task.url}/models`, { headers: { 'x-api-key': task.key } })),
      clip: await caught(fetch(`${task.url}/predict`, { method: 'POST', headers: json, body: '{"audio_data": "UklG"}' })),
      get: await caught(fetch(task.links.get)),
      put: await caught(fetch(task.links.put, { method: 'PUT', body: 'bytes' })),
      client: await caught(client.cancel(UNKNOWN)),
    };
  },
};

/** Give the first XMLHttpRequest an expired link; return S3's answer as the page reads it. */
function expireFirstLink() {
  const answers = [];
  const { open } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.open = function (method) {
    XMLHttpRequest.prototype.open = open;
    this.addEventListener('load', () => answers.push({ status: this.status, text: this.responseText }));
    open.call(this, method, task.expired.put);
  };
  return answers;
}

/** Encode a file as base64, as a front end does. */
function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

async function throttled() {
  for (let tries = 0; tries < 20; tries += 1) {
    const answer = await answerTo('/models', { headers: { 'x-api-key': task.slowKey } });
    if (answer.status !== 200) return answer;
  }
  return null;
}

const answerTo = (path, options) => answerOf(task.url + path, options);

async function answerOf(url, options) {
  const response = await fetch(url, options);
  return { status: response.status, retryAfter: response.headers.get('retry-after'), text: await response.text() };
}

async function caught(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    const { name, error: kind, message, status, requestId } = error;
    return { name, ours: error instanceof AnemonefishError, error: kind, message, status, requestId };
  }
}

await report({ origin: location.origin, browser: navigator.userAgent, ...(await scenarios[task.scenario]()) });
