/**
 * The client against servers that play the API and S3: what goes wrong between them, and what is told to whom.
 *
 * Never asks the real API, so it cannot tell whether that is as it is played here; tests/workflow/test_javascript.py
 * can.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { Anemonefish, AnemonefishError } from '../anemonefish.js';

// --- the API and S3, small --------------------------------------------------------------------------------------

const SINGLE = 20; // bytes that are one PUT
const PART = 10;
const PAGE = 4; // parts
const DROP = 'the connection breaks';
const HANG = new Promise(() => {}); // no answer, ever

const json = (document, status = 200, headers = {}) => ({ status, headers, body: JSON.stringify(document) });
const fault = (status, error, headers) =>
  json({ error, message: `it is ${error}`, request_id: 'r-1' }, status, headers);
const xml = (status, code) => ({
  status,
  body: `<?xml version="1.0"?><Error><Code>${code}</Code><Message>no: ${code}</Message></Error>`,
});

async function serve(t, answer) {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { pathname: path, searchParams: query } = new URL(request.url, 'http://localhost');
    const { method, headers } = request;
    const closed = once(response, 'close');
    const given = await answer({ method, path, query, headers, body: Buffer.concat(chunks), closed });
    if (given === DROP) return request.socket.destroy();
    response.writeHead(given.status ?? 200, given.headers).end(given.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

class Played {
  /** Requests in the order of their arrival. */
  asked = [];
  stored = [];
  /** Milliseconds the client wanted to wait; it did not. */
  pauses = [];
  uploads = new Map();
  /** Links of an earlier epoch have expired. */
  epoch = 0;
  /** What the link of a part states besides. */
  lifetime = '';
  /** Answers instead, where it returns anything: of the API, and of S3. */
  api = () => undefined;
  s3 = () => undefined;

  static async start(t) {
    const played = new Played();
    played.url = await serve(t, (request) => {
      played.asked.push({ ...request, path: request.path.replace('/v1', '') });
      return played.#answer(played.asked.at(-1));
    });
    played.storage = await serve(t, (request) => {
      played.stored.push(request);
      return played.#store(request);
    });
    return played;
  }

  client(more) {
    const pause = async (ms, signal) => {
      signal?.throwIfAborted();
      this.pauses.push(ms);
    };
    return new Anemonefish({ url: `${this.url}/v1/`, key: 'the key', pause, ...more });
  }

  /** What was asked of the API, such as `GET /models`. */
  get lines() {
    return this.asked.map(({ method, path, query }) => `${method} ${path}${String(query) && `?${query}`}`);
  }

  bytesOf(id) {
    const { put, parts } = this.uploads.get(id);
    return put ?? Buffer.concat([...parts.keys()].sort((a, b) => a - b).map((number) => parts.get(number)));
  }

  #answer(request) {
    const instead = this.api(request);
    if (instead !== undefined) return instead;
    const [, kind, id, action] = request.path.split('/');
    if (kind !== 'uploads') return fault(404, 'RouteNotFound');
    if (!id) {
      const { filename, size, sha256 } = JSON.parse(request.body);
      const shown = { id: `u-${this.uploads.size + 1}`, filename, size, status: 'OPEN' };
      const upload = { shown, sha256, parts: new Map() };
      this.uploads.set(shown.id, upload);
      if (size > SINGLE) return json({ ...shown, put: null, multipart: this.#page(shown, 1) }, 201);
      const headers = { 'content-type': 'application/octet-stream' };
      return json({ ...shown, put: { url: `${this.storage}/${shown.id}/0?epoch=${this.epoch}`, headers } }, 201);
    }
    const { shown } = this.uploads.get(id);
    if (action === 'complete') shown.status = 'COMPLETE';
    if (action !== 'parts') return json(shown);
    if (shown.size <= SINGLE || shown.status === 'COMPLETE') return fault(409, 'WrongState');
    return json(this.#page(shown, Number(request.query.get('from'))));
  }

  #page({ id, size }, first) {
    const count = Math.ceil(size / PART);
    const numbers = Array.from({ length: Math.min(PAGE, count - first + 1) }, (_, index) => first + index);
    const parts = numbers.map((number) => ({
      number,
      size: Math.min(PART, size - (number - 1) * PART),
      url: `${this.storage}/${id}/${number}?epoch=${this.epoch}${this.lifetime}`,
      etag: this.uploads.get(id).parts.has(number) ? `"${number}"` : null,
    }));
    return { parts, next: first + PAGE <= count ? `/uploads/${id}/parts?from=${first + PAGE}` : null };
  }

  #store(request) {
    const instead = this.s3(request);
    if (instead !== undefined) return instead;
    if (Number(request.query.get('epoch')) < this.epoch) return xml(403, 'AccessDenied');
    const [, id, number] = request.path.split('/');
    const upload = this.uploads.get(id);
    if (number === '0') upload.put = request.body;
    else upload.parts.set(Number(number), request.body);
    return { headers: { etag: `"${number}"` } };
  }
}

const recording = (size, name = 'reef.wav') =>
  new File([Uint8Array.from({ length: size }, (_, index) => index % 251)], name, { type: 'audio/wav' });
const bytesOf = async (blob) => Buffer.from(await blob.arrayBuffer());
const failure = (promise) => promise.then(() => assert.fail('nothing went wrong'), (error) => error);

/** `node:test` with the played services; nothing here takes long, unless it hangs. */
const check = (name, work) =>
  test(name, { timeout: 20_000 }, async (t) => work(await Played.start(t), t));

// `File` is a global from Node 20 on.
globalThis.File ??= (await import('node:buffer')).File;

// --- upload -----------------------------------------------------------------------------------------------------

check('a small file is one PUT with the headers it was told', async (played) => {
  const file = recording(SINGLE);
  const upload = await played.client().upload(file, { sha256: 'ab' });
  assert.equal(upload.status, 'COMPLETE');
  assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
  assert.deepEqual(JSON.parse(played.asked[0].body), { filename: 'reef.wav', size: SINGLE, sha256: 'ab' });
  assert.deepEqual(played.lines, ['POST /uploads', 'POST /uploads/u-1/complete']);
  assert.equal(played.stored.length, 1);
  assert.equal(played.stored[0].headers['content-type'], 'application/octet-stream');
  assert.equal(played.stored[0].headers['content-length'], String(SINGLE));
});

check('a large file is all its parts, over all pages, without the type of the file', async (played) => {
  const file = recording(95);
  const upload = await played.client().upload(file, { name: 'other.wav' });
  assert.equal(upload.filename, 'other.wav');
  assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
  assert.equal(played.stored.length, 10);
  for (const { headers } of played.stored) assert.equal(headers['content-type'], undefined);
  assert.deepEqual(played.lines, [
    'POST /uploads', 'GET /uploads/u-1/parts?from=5', 'GET /uploads/u-1/parts?from=9', 'POST /uploads/u-1/complete',
  ]);
});

check('neither key nor token goes to S3', async (played) => {
  const headers = async () => ({ authorization: 'Bearer token' });
  played.s3 = ({ method }) => (method === 'GET' ? { body: 'a file' } : undefined);
  played.api = ({ path }) => (path.includes('results') ? json({ url: `${played.storage}/a-file` }) : undefined);
  const client = played.client({ headers });
  await client.upload(recording(35));
  await client.upload(recording(5));
  await client.download('e-1', 'csv');
  assert.equal(played.stored.length, 6);
  for (const { headers: sent } of played.stored) {
    assert.equal(sent['x-api-key'], undefined);
    assert.equal(sent.authorization, undefined);
  }
  for (const { headers: sent } of played.asked) {
    assert.equal(sent['x-api-key'], 'the key');
    assert.equal(sent.authorization, 'Bearer token');
  }
});

check('as many parts at once as wished, and no more', async (played) => {
  let now = 0;
  let most = 0;
  let meet;
  const both = new Promise((resolve) => (meet = resolve));
  played.s3 = () => {
    now += 1;
    most = Math.max(most, now);
    if (now === 2) meet();
    return both.then(() => void (now -= 1)).then(() => ({ headers: { etag: '"1"' } }));
  };
  await played.client().upload(recording(75), { concurrency: 2 }); // hangs unless two are on their way together
  assert.equal(most, 2);
});

check('progress adds up to the file, part by part', async (played) => {
  const heard = [];
  await played.client().upload(recording(95), { onProgress: (...told) => heard.push(told) });
  assert.equal(heard.length, 10);
  const sent = heard.map(([bytes]) => bytes);
  assert.deepEqual(sent, [...sent].sort((a, b) => a - b));
  assert.deepEqual(heard.at(-1), [95, 95]);
});

for (const [what, trouble] of [
  ['that answers 503', xml(503, 'SlowDown')],
  ['that stood still', xml(400, 'RequestTimeout')],
  ['that breaks off', DROP],
]) {
  check(`a connection to S3 ${what} is tried again`, async (played) => {
    const heard = [];
    const failed = new Set();
    played.s3 = ({ path }) => (failed.has(path) ? undefined : (failed.add(path), trouble));
    for (const size of [95, 15]) {
      const file = recording(size);
      const upload = await played.client().upload(file, { onProgress: (sent) => heard.push(sent) });
      assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
      assert.equal(heard.at(-1), size);
      assert.ok(Math.max(...heard) <= 95);
    }
    assert.equal(played.stored.length, 22);
    assert.equal(played.pauses.length, 11);
  });
}

check('a part that S3 refuses ends the upload', async (played) => {
  played.s3 = ({ path }) => (path.endsWith('/2') ? xml(400, 'BadDigest') : undefined);
  const error = await failure(played.client().upload(recording(95), { concurrency: 1 }));
  assert.ok(error instanceof AnemonefishError);
  assert.deepEqual([error.error, error.message, error.status], ['BadDigest', 'no: BadDigest', 400]);
  assert.equal(played.stored.length, 2);
  assert.deepEqual(played.lines, ['POST /uploads']);
});

check('the other parts stop when one is refused', async (played) => {
  const heard = [];
  let others = 0;
  let arrived;
  const all = new Promise((resolve) => (arrived = resolve));
  played.s3 = ({ path }) => {
    if (path.endsWith('/1')) return all.then(() => xml(400, 'BadDigest'));
    others += 1;
    if (others === 3) arrived();
    return HANG;
  };
  const error = await failure(played.client().upload(recording(95), { onProgress: (sent) => heard.push(sent) }));
  assert.equal(error.error, 'BadDigest');
  await Promise.all(played.stored.map(({ closed }) => closed)); // they were not answered: it hangs unless given up
  assert.equal(played.stored.length, 4);
  assert.deepEqual(heard, []);
});

check('expired links are renewed once for a page', async (played) => {
  const file = recording(75);
  const firsts = new Set();
  played.s3 = ({ path }) => {
    const page = Math.floor((Number(path.split('/')[2]) - 1) / PAGE);
    if (!firsts.has(page)) played.epoch += 1; // while the first part of a page is on its way
    firsts.add(page);
    return undefined;
  };
  const upload = await played.client().upload(file);
  assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
  assert.deepEqual(played.lines.filter((line) => line.startsWith('GET')), [
    'GET /uploads/u-1/parts?from=1',
    'GET /uploads/u-1/parts?from=5',
    'GET /uploads/u-1/parts?from=5',
  ]);
});

check('links of one page may expire again', async (played) => {
  const file = recording(35);
  const expiring = new Set(['/u-1/1', '/u-1/3']);
  played.s3 = ({ path }) => {
    if (expiring.delete(path)) played.epoch += 1;
    return undefined;
  };
  const upload = await played.client().upload(file, { concurrency: 1 });
  assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
  assert.equal(played.lines.filter((line) => line === 'GET /uploads/u-1/parts?from=1').length, 2);
});

check('credentials that expired before the link renew it as well', async (played) => {
  let once = 0;
  played.s3 = () => (once++ ? undefined : xml(400, 'ExpiredToken'));
  assert.equal((await played.client().upload(recording(25))).status, 'COMPLETE');
});

check('a fresh link that is refused is refused for good', async (played) => {
  played.s3 = () => xml(403, 'AccessDenied');
  const error = await failure(played.client().upload(recording(35), { concurrency: 1 }));
  assert.deepEqual([error.error, error.status], ['AccessDenied', 403]);
  assert.equal(played.lines.filter((line) => line.startsWith('GET')).length, 1);
});

/** S3's answer to a link whose time is over. */
const OVER = {
  status: 403,
  body: '<Error><Code>AccessDenied</Code><Message>Request has expired</Message><ServerTime>x</ServerTime></Error>',
};

/** Let `Date.now` run ahead by what `clock.ahead` says. */
function clockOf(t) {
  const clock = { ahead: 0 };
  const now = Date.now;
  Date.now = () => now() + clock.ahead;
  t.after(() => (Date.now = now));
  return clock;
}

const renewals = (played) => played.lines.filter((line) => line === 'GET /uploads/u-1/parts?from=1').length;

for (const times of [2, 3, 8]) {
  check(`a part whose link expires ${times} times in a row is renewed each time`, async (played) => {
    let left = times;
    played.s3 = ({ path }) => (path.endsWith('/2') && left-- > 0 ? OVER : undefined);
    const file = recording(35);
    const upload = await played.client().upload(file, { concurrency: 1 });
    assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
    assert.equal(renewals(played), times);
  });
}

check('a device that sleeps through every link is renewed without end, whatever S3 says', async (played, t) => {
  const clock = clockOf(t);
  let sleeps = 40;
  played.s3 = ({ path }) => {
    if (!path.endsWith('/2') || sleeps === 0) return undefined;
    sleeps -= 1;
    clock.ahead += 2 * 3600_000; // asleep while the part is on its way: the connection is gone
    return sleeps % 2 ? DROP : xml(403, 'AccessDenied'); // and its link is over when it is tried again
  };
  const file = recording(35);
  const upload = await played.client().upload(file, { concurrency: 1 });
  assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
  assert.ok(renewals(played) >= 19, String(renewals(played)));
});

check('links that are always over before they are used end with their words', async (played) => {
  played.s3 = () => OVER;
  const error = await failure(played.client().upload(recording(35), { concurrency: 1 }));
  assert.deepEqual([error.error, error.message, error.status], ['AccessDenied', 'Request has expired', 403]);
  assert.equal(renewals(played), 10);
  assert.equal(played.pauses.length, 9); // ever further apart
  assert.ok(played.pauses.at(-1) > 8 * played.pauses[0]);
});

check('a forbidden part ends with its words, however long the device slept before', async (played, t) => {
  const clock = clockOf(t);
  played.s3 = ({ path }) => {
    if (path.endsWith('/1')) clock.ahead = 5 * 3600_000;
    return path.endsWith('/2') ? xml(403, 'AccessDenied') : undefined;
  };
  const error = await failure(played.client().upload(recording(35), { concurrency: 1 }));
  assert.deepEqual([error.error, error.message], ['AccessDenied', 'no: AccessDenied']);
  assert.equal(renewals(played), 2); // the link was old: that may be why; the next was not, and one more is tried
});

check('a link that is about to end is renewed before its part is sent', async (played, t) => {
  const clock = clockOf(t);
  played.lifetime = '&X-Amz-Expires=3600';
  played.s3 = ({ path }) => {
    if (path.endsWith('/2')) clock.ahead += 3590_000;
    return undefined;
  };
  await played.client().upload(recording(35), { concurrency: 1 });
  assert.equal(renewals(played), 1);
  assert.equal(played.stored.length, 4); // none was sent in vain
});

check('a small file whose link has expired begins anew, and says so', async (played) => {
  let left = 2;
  played.s3 = () => (left-- > 0 ? OVER : undefined);
  const started = [];
  const file = recording(SINGLE);
  const upload = await played.client().upload(file, { onStart: ({ id }) => started.push(id) });
  assert.deepEqual([upload.id, upload.status, started], ['u-3', 'COMPLETE', ['u-1', 'u-2', 'u-3']]);
  assert.deepEqual(played.bytesOf('u-3'), await bytesOf(file));
  played.s3 = () => xml(403, 'AccessDenied');
  assert.equal((await failure(played.client().upload(file))).message, 'no: AccessDenied');
});

check('a link that writes once and whose answer was lost has written', async (played) => {
  const file = recording(SINGLE);
  played.s3 = (request) => {
    const upload = played.uploads.get('u-1');
    if (upload.put) return xml(412, 'PreconditionFailed');
    upload.put = request.body;
    return DROP;
  };
  const heard = [];
  const upload = await played.client().upload(file, { onProgress: (sent) => heard.push(sent) });
  assert.deepEqual([upload.status, heard.at(-1)], ['COMPLETE', SINGLE]);
  played.s3 = () => xml(412, 'PreconditionFailed'); // but not where nothing was lost: somebody else wrote
  assert.equal((await failure(played.client().upload(file))).error, 'PreconditionFailed');
});

for (const [what, broken] of [
  ['S3', (played, drop) => (played.s3 = drop)],
  ['the API', (played, drop) => (played.api = drop)],
]) {
  check(`an upload outlasts that ${what} cannot be reached for minutes`, async (played) => {
    let left = 25;
    broken(played, () => (left-- > 0 ? DROP : undefined));
    const file = recording(75);
    const upload = await played.client().upload(file, { concurrency: 1 });
    assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));
    const waited = played.pauses.reduce((sum, ms) => sum + ms, 0);
    assert.ok(waited > 180_000, String(waited));
  });
}

check('an upload without network ends when its patience does', async (played) => {
  played.s3 = () => DROP;
  const error = await failure(played.client({ patience: 60_000 }).upload(recording(75), { concurrency: 1 }));
  assert.deepEqual([error.error, error.status], ['NetworkError', 0]);
  const waited = played.pauses.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited > 30_000 && waited <= 60_000, String(waited));
});

check('an upload that was interrupted goes on with what is missing', async (played) => {
  const file = recording(95);
  const client = played.client();
  const stop = new AbortController();
  let id;
  const reason = await failure(
    client.upload(file, {
      concurrency: 1,
      signal: stop.signal,
      onStart: (upload) => (id = upload.id),
      onProgress: (sent) => sent >= 60 && stop.abort(new Error('the lid was closed')),
    }),
  );
  assert.equal(reason.message, 'the lid was closed');
  assert.equal(played.stored.length, 6);
  assert.ok(!played.lines.includes(`POST /uploads/${id}/complete`));

  const heard = [];
  const upload = await client.upload(file, { resume: id, onProgress: (sent) => heard.push(sent) });
  assert.equal(upload.id, id);
  assert.deepEqual(played.stored.slice(6).map(({ path }) => path).sort(), ['/u-1/10', '/u-1/7', '/u-1/8', '/u-1/9']);
  assert.deepEqual(played.bytesOf(id), await bytesOf(file));
  assert.equal(heard.at(-1), 95);

  const again = [];
  const complete = await client.upload(file, { resume: id, onProgress: (sent) => again.push(sent) });
  assert.equal(complete.status, 'COMPLETE');
  assert.deepEqual(again, [95]);
  assert.equal(played.stored.length, 10);
});

check('another file is not sent into an upload', async (played) => {
  const client = played.client();
  const { id } = await client.upload(recording(95));
  for (const [file, words] of [[recording(94), '94 bytes'], [recording(95, 'other.wav'), 'other.wav']]) {
    const error = await failure(client.upload(file, { resume: id }));
    assert.equal(error.error, 'OtherFile');
    assert.match(error.message, new RegExp(words));
  }
  assert.equal(played.stored.length, 10);
  const nameless = await client.upload(new Blob([await bytesOf(recording(95))]), { resume: id });
  assert.equal(nameless.filename, 'reef.wav');
});

check('a single PUT that was interrupted begins anew', async (played) => {
  const client = played.client();
  played.s3 = () => xml(400, 'BadDigest');
  await failure(client.upload(recording(15)));
  played.s3 = () => undefined;
  const started = [];
  const upload = await client.upload(recording(15), { resume: 'u-1', onStart: ({ id }) => started.push(id) });
  assert.deepEqual([upload.id, started], ['u-2', ['u-2']]);
});

check('an upload on its way is stopped by its signal', async (played) => {
  const stop = new AbortController();
  played.s3 = () => {
    stop.abort('enough');
    return HANG;
  };
  assert.equal(await failure(played.client().upload(recording(95), { signal: stop.signal })), 'enough');
  assert.equal(await failure(played.client().upload(recording(95), { signal: stop.signal })), 'enough');
  assert.deepEqual(played.lines, ['POST /uploads']);
});

check('in a browser bytes are told on their way, and taken back when they are lost', async (played, t) => {
  globalThis.XMLHttpRequest = PlayedXhr;
  t.after(() => delete globalThis.XMLHttpRequest);
  let refused = false;
  played.s3 = ({ path }) => {
    if (refused || !path.endsWith('/2')) return undefined;
    refused = true;
    return xml(503, 'SlowDown');
  };
  const heard = [];
  const file = recording(35);
  const upload = await played.client().upload(file, { concurrency: 1, onProgress: (sent) => heard.push(sent) });
  assert.deepEqual(heard, [5, 10, 15, 20, 10, 15, 20, 25, 30, 32, 35]);
  assert.deepEqual(played.bytesOf(upload.id), await bytesOf(file));

  const small = await played.client().upload(recording(15));
  assert.equal(played.stored.at(-1).headers['content-type'], 'application/octet-stream');
  assert.equal(small.status, 'COMPLETE');

  const stop = new AbortController();
  played.s3 = () => {
    stop.abort('enough');
    return HANG;
  };
  assert.equal(await failure(played.client().upload(file, { signal: stop.signal })), 'enough');

  played.s3 = () => DROP;
  assert.equal((await failure(played.client().upload(file))).error, 'NetworkError');

  const before = played.stored.length;
  const last = [];
  played.s3 = ({ path }) => (path.endsWith('/4') ? xml(400, 'BadDigest') : HANG);
  await failure(played.client().upload(file, { onProgress: (sent) => last.push(sent) }));
  await Promise.all(played.stored.slice(before).map(({ closed }) => closed));
  await new Promise(setImmediate);
  assert.deepEqual(last, [5, 10, 15, 17, 20, 15]); // and of the three others no word after the end
});

/** As much of it as the client uses. */
class PlayedXhr {
  upload = {};
  #headers = {};
  #controller = new AbortController();

  open(method, url) {
    Object.assign(this, { method, url });
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value;
  }

  abort() {
    this.#controller.abort();
  }

  async send(body) {
    const { method, url } = this;
    const { signal } = this.#controller;
    this.upload.onprogress({ loaded: Math.floor(body.size / 2) });
    try {
      const response = await fetch(url, { method, body, headers: this.#headers, signal });
      this.status = response.status;
      this.responseText = await response.text();
      this.upload.onprogress({ loaded: body.size });
      this.onload();
    } catch {
      if (signal.aborted) this.onabort();
      else this.onerror();
    } finally {
      this.onloadend();
    }
  }
}

// --- start, and requests in general -------------------------------------------------------------------------------

/** Answer with one after the other, and with the last one for ever. */
const inTurn = (...given) => () => (given.length > 1 ? given.shift() : given[0]);

check('a start keeps its idempotency key over all its tries', async (played) => {
  played.api = inTurn(fault(503, 'StorageError'), DROP, fault(429, 'TooManyRequests'), json({ id: 'e-1' }, 202));
  const order = { recordings: ['u-1'], model: 'reef', settings: { threshold: 0.6 }, webhook: 'https://lab.org/x' };
  assert.equal((await played.client().start(order)).id, 'e-1');
  const keys = played.asked.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 4);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0], /^[\x21-\x7e]{20,255}$/);
  for (const { body, headers } of played.asked) {
    assert.deepEqual(JSON.parse(body), order);
    assert.equal(headers['content-type'], 'application/json');
  }
});

check('every start has a key of its own, or the one it was given', async (played) => {
  played.api = () => json({ id: 'e-1' }, 202);
  const client = played.client();
  for (const more of [{}, {}, { idempotencyKey: 'mine' }]) await client.start({ recordings: ['u-1'], ...more });
  const keys = played.asked.map(({ headers }) => headers['idempotency-key']);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], 'mine');
  assert.deepEqual(JSON.parse(played.asked[2].body), { recordings: ['u-1'] });
});

check('a key can be made where there is no crypto', async (played, t) => {
  const crypto = Object.getOwnPropertyDescriptor(globalThis, 'crypto');
  Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true });
  t.after(() => crypto && Object.defineProperty(globalThis, 'crypto', crypto));
  played.api = () => json({ id: 'e-1' }, 202);
  await played.client().start({ recordings: ['u-1'] });
  assert.match(played.asked[0].headers['idempotency-key'], /^[\x21-\x7e]{20,255}$/);
});

check('Retry-After is heeded, in seconds and as a date', async (played) => {
  const date = new Date(Date.now() + 600_000).toUTCString();
  played.api = inTurn(
    fault(429, 'TooManyRequests', { 'retry-after': '70' }),
    fault(503, 'StorageError', { 'retry-after': date }),
    fault(503, 'StorageError', { 'retry-after': 'soon' }),
    json({ models: [] }),
  );
  await played.client().models();
  const [seconds, moment, neither] = played.pauses;
  assert.equal(seconds, 70_000);
  assert.ok(moment > 500_000 && moment <= 600_000, String(moment));
  assert.ok(neither < 10_000, String(neither));
});

check('after six tries, ever further apart, it is given up', async (played) => {
  played.api = () => fault(503, 'StorageError');
  const error = await failure(played.client().models());
  assert.deepEqual([error.error, error.status], ['StorageError', 503]);
  assert.equal(played.asked.length, 6);
  assert.equal(played.pauses.length, 5);
  for (const [index, ms] of played.pauses.entries()) {
    const middle = 1000 * 1.5 ** index;
    assert.ok(ms >= 0.75 * middle && ms <= 1.25 * middle, `${index}: ${ms}`);
  }
});

check('what would fail again is asked once', async (played) => {
  for (const status of [400, 403, 404, 409, 410, 413, 500]) {
    played.api = () => fault(status, 'Whatever');
    assert.equal((await failure(played.client().start({ recordings: [] }))).status, status);
  }
  assert.equal(played.asked.length, 7);
});

check('what would not do the same twice is repeated only if it was not begun', async (played) => {
  for (const method of ['cancel', 'resume']) {
    played.asked = [];
    played.api = inTurn(fault(429, 'TooManyRequests'), fault(503, 'StorageError'));
    assert.equal((await failure(played.client()[method]('e-1'))).status, 503);
    assert.equal(played.asked.length, 2);
  }
});

check('an error says what the API says', async (played) => {
  const details = [{ field: 'body.size', message: 'must be a number' }];
  played.api = () => json({ error: 'InvalidRequest', message: 'body.size: no', details, request_id: 'r-7' }, 400);
  const error = await failure(played.client().models());
  assert.ok(error instanceof AnemonefishError && error instanceof Error);
  assert.equal(error.name, 'AnemonefishError');
  assert.deepEqual([error.error, error.message, error.status], ['InvalidRequest', 'body.size: no', 400]);
  assert.deepEqual([error.details, error.requestId], [details, 'r-7']);
});

check("a proxy's page is an error, whatever its status", async (played) => {
  for (const status of [200, 404]) {
    played.api = () => ({ status, body: '<html>' });
    const error = await failure(played.client().models());
    assert.ok(error instanceof AnemonefishError);
    assert.deepEqual([error.error, error.status], ['UnexpectedAnswer', status]);
  }
});

check('nobody there is a NetworkError with its cause', async (played) => {
  played.api = () => DROP;
  const error = await failure(played.client().models());
  assert.ok(error instanceof AnemonefishError);
  assert.deepEqual([error.error, error.status], ['NetworkError', 0]);
  assert.ok(error.cause instanceof TypeError);
  assert.equal(played.asked.length, 6);
});

check('a redirect does not take the key elsewhere', async (played) => {
  played.api = () => ({ status: 307, headers: { location: `${played.storage}/take` } });
  assert.equal((await failure(played.client().models())).error, 'NetworkError');
  assert.deepEqual(played.stored, []);
});

check('headers are asked for again with every try', async (played) => {
  let tokens = 0;
  played.api = inTurn(fault(503, 'StorageError'), json({ models: [] }));
  await played.client({ key: undefined, headers: async () => ({ authorization: `token ${(tokens += 1)}` }) }).models();
  assert.deepEqual(played.asked.map(({ headers }) => headers.authorization), ['token 1', 'token 2']);
  assert.equal(played.asked[0].headers['x-api-key'], undefined);
});

check('a signal ends a request and a pause between two', async (played) => {
  const inRequest = new AbortController();
  played.api = () => {
    inRequest.abort('enough');
    return HANG;
  };
  assert.equal(await failure(played.client().models({ signal: inRequest.signal })), 'enough');

  const inPause = new AbortController();
  played.api = () => {
    setTimeout(() => inPause.abort('enough'), 20);
    return fault(503, 'StorageError', { 'retry-after': '3600' });
  };
  const client = new Anemonefish({ url: played.url });
  assert.equal(await failure(client.models({ signal: inPause.signal })), 'enough');
});

// --- wait -------------------------------------------------------------------------------------------------------

const execution = (status, more) => json({ id: 'e-1', status, ranges_done: 0, ranges_total: 2, error: null, ...more });

check('waiting polls until the end, as seldom as Retry-After says', async (played) => {
  const patient = { 'retry-after': '7' };
  played.api = inTurn(
    { ...execution('PENDING', { ranges_total: null }), headers: patient },
    { ...execution('RUNNING', { ranges_done: 1 }), headers: patient },
    fault(503, 'StorageError'),
    execution('SUCCEEDED', { ranges_done: 2 }),
  );
  const heard = [];
  const onProgress = ({ status, ranges_done: done }) => heard.push([status, done]);
  const ended = await played.client().wait('e-1', { onProgress });
  assert.equal(ended.status, 'SUCCEEDED');
  assert.deepEqual(heard, [['PENDING', 0], ['RUNNING', 1], ['SUCCEEDED', 2]]);
  assert.deepEqual(played.pauses.slice(0, 2), [7000, 7000]);
  assert.equal(played.lines[0], 'GET /executions/e-1');
});

check('waiting for a failure tells its reason', async (played) => {
  played.api = () => execution('FAILED', { error: { error: 'TruncatedRecording', message: 'a.wav: broken' } });
  const failed = await failure(played.client().wait('e-1'));
  assert.ok(failed instanceof AnemonefishError);
  assert.deepEqual([failed.error, failed.message], ['TruncatedRecording', 'a.wav: broken']);
  played.api = () => execution('CANCELLED');
  const cancelled = await failure(played.client().wait('e-1'));
  assert.deepEqual([cancelled.error, cancelled.message], ['Cancelled', 'e-1 is CANCELLED']);
});

check('waiting has an end, in a pause and in a request', async (played) => {
  const client = new Anemonefish({ url: played.url });
  for (const given of [execution('RUNNING'), HANG]) {
    played.api = () => given;
    const error = await failure(client.wait('e-1', { timeout: 50 }));
    assert.ok(error instanceof AnemonefishError);
    assert.equal(error.error, 'Timeout');
    assert.match(error.message, /e-1 .* 50 ms/);
  }
});

check('waiting for an execution that is never started ends, and says how to go on', async (played) => {
  played.api = () => execution('PENDING', { ranges_total: null });
  for (const startTimeout of [undefined, 60_000]) {
    played.pauses = [];
    const error = await failure(played.client().wait('e-1', { startTimeout }));
    assert.ok(error instanceof AnemonefishError);
    assert.deepEqual([error.error, error.status], ['NotStarted', 0]);
    const seconds = (startTimeout ?? 900_000) / 1000;
    assert.match(error.message, new RegExp(`e-1 has been PENDING for more than ${seconds} s.*idempotencyKey`));
    const waited = played.pauses.reduce((sum, ms) => sum + ms, 0);
    assert.ok(waited <= 1000 * seconds && waited > 500 * seconds, String(waited));
  }
});

check('time in PENDING counts from the last start only, and a slow start is no error', async (played) => {
  const slow = { ...execution('PENDING'), headers: { 'retry-after': '20' } };
  played.api = inTurn(slow, slow, slow, slow, execution('RUNNING'), slow, slow, slow, slow, execution('SUCCEEDED'));
  assert.equal((await played.client().wait('e-1', { startTimeout: 90_000 })).status, 'SUCCEEDED');
  played.api = inTurn(...Array.from({ length: 40 }, () => execution('PENDING')), execution('SUCCEEDED'));
  assert.equal((await played.client().wait('e-1', { startTimeout: Infinity })).status, 'SUCCEEDED');
});

check('waiting outlasts that the API cannot be reached for minutes', async (played) => {
  let left = 25;
  played.api = () => (left-- > 0 ? DROP : execution('SUCCEEDED'));
  assert.equal((await played.client().wait('e-1')).status, 'SUCCEEDED');
  left = Infinity;
  assert.equal((await failure(played.client({ patience: 30_000 }).wait('e-1'))).error, 'NetworkError');
});

check('a timeout longer than a timer can be is none', async (played) => {
  played.api = inTurn(execution('RUNNING'), execution('SUCCEEDED'));
  for (const timeout of [Infinity, 2 ** 40]) {
    assert.equal((await played.client().wait('e-1', { timeout })).status, 'SUCCEEDED');
  }
});

check('waiting is stopped by its signal', async (played) => {
  const stop = new AbortController();
  played.api = () => execution('RUNNING');
  const client = new Anemonefish({ url: played.url });
  const onProgress = () => setTimeout(() => stop.abort('enough'));
  assert.equal(await failure(client.wait('e-1', { signal: stop.signal, onProgress })), 'enough');
});

// --- results, and the rest --------------------------------------------------------------------------------------

check('every method asks what the API has', async (played) => {
  played.api = () => json({});
  const client = played.client();
  await client.quote({ recordings: ['u-1'] });
  await client.status('e-1');
  await client.list();
  await client.list({ limit: 5, from: 'e-9' });
  await client.results('e-1');
  await client.results('e-1', { recording: 2, decision: 'd-1' });
  await client.file('e-1', 'raven', { decision: 'd-1' });
  await client.decide('e-1', { threshold: 0.7 }, { recording: 1 });
  await client.cancel('e-1');
  await client.resume('e-1');
  await client.models();
  await client.model('reef', '../1');
  assert.deepEqual(played.lines, [
    'POST /executions?dry_run=true',
    'GET /executions/e-1',
    'GET /executions',
    'GET /executions?limit=5&from=e-9',
    'GET /executions/e-1/results',
    'GET /executions/e-1/results?recording=2&decision=d-1',
    'GET /executions/e-1/results?format=raven&decision=d-1&redirect=false',
    'POST /executions/e-1/decisions?recording=1',
    'DELETE /executions/e-1',
    'POST /executions/e-1/resume',
    'GET /models',
    'GET /models/reef/..%2F1',
  ]);
  assert.deepEqual(JSON.parse(played.asked[7].body), { threshold: 0.7 });
});

check('a download is the file, and is tried again', async (played) => {
  played.api = () => json({ url: `${played.storage}/a-file` });
  played.s3 = inTurn(xml(503, 'SlowDown'), DROP, { body: 'a,b\n' });
  const response = await played.client().download('e-1', 'csv', { recording: 3 });
  assert.equal(await response.text(), 'a,b\n');
  assert.equal(played.lines[0], 'GET /executions/e-1/results?format=csv&recording=3&redirect=false');
  played.s3 = () => xml(404, 'NoSuchKey');
  const error = await failure(played.client().download('e-1', 'csv'));
  assert.deepEqual([error instanceof AnemonefishError, error.error, error.status], [true, 'NoSuchKey', 404]);
});

check('a clip is sent as a form', async (played) => {
  const forms = [];
  played.api = ({ headers, body }) => {
    forms.push(new Response(body, { headers: { 'content-type': headers['content-type'] } }).formData());
    return forms.length === 1 ? fault(503, 'StorageError') : json({ predictions: [], events: [] });
  };
  const config = { threshold: 0.7 };
  await played.client().predict(recording(15), { config });
  await played.client().predict(new Blob(['RIFF']), { field: 'audio', name: 'b.wav' });
  assert.deepEqual(played.lines, Array(3).fill('POST /inference/predict'));
  const [first, again, other] = await Promise.all(forms);
  for (const form of [first, again]) {
    assert.deepEqual([...form.keys()].sort(), ['audio_file', 'config']);
    assert.equal(form.get('audio_file').name, 'reef.wav');
    assert.deepEqual(await bytesOf(form.get('audio_file')), await bytesOf(recording(15)));
    assert.deepEqual(JSON.parse(form.get('config')), config);
  }
  assert.deepEqual([...other.keys()], ['audio']);
  assert.equal(other.get('audio').name, 'b.wav');
});
