/**
 * Tests of the client against fake servers for the API and S3: errors between them, and what the client reports.
 *
 * These tests do not use the real API; tests/workflow/test_javascript.py does.
 */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { Anemonefish, AnemonefishError } from '../anemonefish.js';

// --- fake servers for the API and S3 ----------------------------------------------------------------------------

const SINGLE = 20; // largest file in bytes that is sent in one PUT
const PART = 10;
const PAGE = 4; // parts on a page
const DROP = 'the connection breaks';
const HANG = new Promise(() => {}); // an answer that never comes

const json = (document, status = 200, headers = {}) => ({ status, headers, body: JSON.stringify(document) });
const apiError = (status, error, headers) =>
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

class FakeServices {
  /** Requests in the request of their arrival. */
  requests = [];
  stored = [];
  /** Milliseconds that the client would have waited. */
  pauses = [];
  uploads = new Map();
  /** Links of an earlier epoch have expired. */
  epoch = 0;
  /** Additional query parameters in the link of a part. */
  lifetime = '';
  /** Replace the answer of the API or of S3 if they return anything but undefined. */
  api = () => undefined;
  s3 = () => undefined;

  static async start(t) {
    const services = new FakeServices();
    services.url = await serve(t, (request) => {
      services.requests.push({ ...request, path: request.path.replace('/v1', '') });
      return services.#answer(services.requests.at(-1));
    });
    services.storage = await serve(t, (request) => {
      services.stored.push(request);
      return services.#store(request);
    });
    return services;
  }

  client(more) {
    const pause = async (ms, signal) => {
      signal?.throwIfAborted();
      this.pauses.push(ms);
    };
    return new Anemonefish({ url: `${this.url}/v1/`, key: 'the key', pause, ...more });
  }

  /** Requests to the API, such as `GET /models`. */
  get lines() {
    return this.requests.map(({ method, path, query }) => `${method} ${path}${String(query) && `?${query}`}`);
  }

  bytesOf(id) {
    const { put, parts } = this.uploads.get(id);
    return put ?? Buffer.concat([...parts.keys()].sort((a, b) => a - b).map((number) => parts.get(number)));
  }

  #answer(request) {
    const instead = this.api(request);
    if (instead !== undefined) return instead;
    const [, kind, id, action] = request.path.split('/');
    if (kind !== 'uploads') return apiError(404, 'RouteNotFound');
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
    if (shown.size <= SINGLE || shown.status === 'COMPLETE') return apiError(409, 'WrongState');
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
const failure = (promise) => promise.then(() => assert.fail('no error was thrown'), (error) => error);

/** Run a test with the fake servers. The timeout is reached only if a test hangs. */
const check = (name, work) =>
  test(name, { timeout: 20_000 }, async (t) => work(await FakeServices.start(t), t));

// `File` is a global from Node 20 on.
globalThis.File ??= (await import('node:buffer')).File;

// --- upload -----------------------------------------------------------------------------------------------------

check('a small file is sent in one PUT with the given headers', async (services) => {
  const file = recording(SINGLE);
  const upload = await services.client().upload(file, { sha256: 'ab' });
  assert.equal(upload.status, 'COMPLETE');
  assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
  assert.deepEqual(JSON.parse(services.requests[0].body), { filename: 'reef.wav', size: SINGLE, sha256: 'ab' });
  assert.deepEqual(services.lines, ['POST /uploads', 'POST /uploads/u-1/complete']);
  assert.equal(services.stored.length, 1);
  assert.equal(services.stored[0].headers['content-type'], 'application/octet-stream');
  assert.equal(services.stored[0].headers['content-length'], String(SINGLE));
});

check('a large file is sent in parts, over all pages, without a content type', async (services) => {
  const file = recording(95);
  const upload = await services.client().upload(file, { name: 'other.wav' });
  assert.equal(upload.filename, 'other.wav');
  assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
  assert.equal(services.stored.length, 10);
  for (const { headers } of services.stored) assert.equal(headers['content-type'], undefined);
  assert.deepEqual(services.lines, [
    'POST /uploads', 'GET /uploads/u-1/parts?from=5', 'GET /uploads/u-1/parts?from=9', 'POST /uploads/u-1/complete',
  ]);
});

check('key and token are not sent to S3', async (services) => {
  const headers = async () => ({ authorization: 'Bearer token' });
  services.s3 = ({ method }) => (method === 'GET' ? { body: 'a file' } : undefined);
  services.api = ({ path }) => (path.includes('results') ? json({ url: `${services.storage}/a-file` }) : undefined);
  const client = services.client({ headers });
  await client.upload(recording(35));
  await client.upload(recording(5));
  await client.download('e-1', 'csv');
  assert.equal(services.stored.length, 6);
  for (const { headers: sent } of services.stored) {
    assert.equal(sent['x-api-key'], undefined);
    assert.equal(sent.authorization, undefined);
  }
  for (const { headers: sent } of services.requests) {
    assert.equal(sent['x-api-key'], 'the key');
    assert.equal(sent.authorization, 'Bearer token');
  }
});

check('at most `concurrency` parts are sent at the same time', async (services) => {
  let now = 0;
  let most = 0;
  let meet;
  const both = new Promise((resolve) => (meet = resolve));
  services.s3 = () => {
    now += 1;
    most = Math.max(most, now);
    if (now === 2) meet();
    return both.then(() => void (now -= 1)).then(() => ({ headers: { etag: '"1"' } }));
  };
  await services.client().upload(recording(75), { concurrency: 2 }); // hangs unless two parts are sent at the same time
  assert.equal(most, 2);
});

check('progress increases with each part up to the size of the file', async (services) => {
  const progress = [];
  await services.client().upload(recording(95), { onProgress: (...counts) => progress.push(counts) });
  assert.equal(progress.length, 10);
  const sent = progress.map(([bytes]) => bytes);
  assert.deepEqual(sent, [...sent].sort((a, b) => a - b));
  assert.deepEqual(progress.at(-1), [95, 95]);
});

for (const [what, trouble] of [
  ['that is answered with 503', xml(503, 'SlowDown')],
  ['that times out', xml(400, 'RequestTimeout')],
  ['without an answer', DROP],
]) {
  check(`a PUT to S3 ${what} is retried`, async (services) => {
    const progress = [];
    const failed = new Set();
    services.s3 = ({ path }) => (failed.has(path) ? undefined : (failed.add(path), trouble));
    for (const size of [95, 15]) {
      const file = recording(size);
      const upload = await services.client().upload(file, { onProgress: (sent) => progress.push(sent) });
      assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
      assert.equal(progress.at(-1), size);
      assert.ok(Math.max(...progress) <= 95);
    }
    assert.equal(services.stored.length, 22);
    assert.equal(services.pauses.length, 11);
  });
}

check('an upload fails when S3 refuses a part', async (services) => {
  services.s3 = ({ path }) => (path.endsWith('/2') ? xml(400, 'BadDigest') : undefined);
  const error = await failure(services.client().upload(recording(95), { concurrency: 1 }));
  assert.ok(error instanceof AnemonefishError);
  assert.deepEqual([error.error, error.message, error.status], ['BadDigest', 'no: BadDigest', 400]);
  assert.equal(services.stored.length, 2);
  assert.deepEqual(services.lines, ['POST /uploads']);
});

check('the other parts are aborted when one part is refused', async (services) => {
  const progress = [];
  let others = 0;
  let arrived;
  const all = new Promise((resolve) => (arrived = resolve));
  services.s3 = ({ path }) => {
    if (path.endsWith('/1')) return all.then(() => xml(400, 'BadDigest'));
    others += 1;
    if (others === 3) arrived();
    return HANG;
  };
  const error = await failure(services.client().upload(recording(95), { onProgress: (sent) => progress.push(sent) }));
  assert.equal(error.error, 'BadDigest');
  await Promise.all(services.stored.map(({ closed }) => closed)); // hangs unless the client closes the connections
  assert.equal(services.stored.length, 4);
  assert.deepEqual(progress, []);
});

check('expired links of a page are renewed with one request', async (services) => {
  const file = recording(75);
  const firsts = new Set();
  services.s3 = ({ path }) => {
    const page = Math.floor((Number(path.split('/')[2]) - 1) / PAGE);
    if (!firsts.has(page)) services.epoch += 1; // while the first part of a page is sent
    firsts.add(page);
    return undefined;
  };
  const upload = await services.client().upload(file);
  assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
  assert.deepEqual(services.lines.filter((line) => line.startsWith('GET')), [
    'GET /uploads/u-1/parts?from=1',
    'GET /uploads/u-1/parts?from=5',
    'GET /uploads/u-1/parts?from=5',
  ]);
});

check('links of one page are renewed again when they expire again', async (services) => {
  const file = recording(35);
  const expiring = new Set(['/u-1/1', '/u-1/3']);
  services.s3 = ({ path }) => {
    if (expiring.delete(path)) services.epoch += 1;
    return undefined;
  };
  const upload = await services.client().upload(file, { concurrency: 1 });
  assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
  assert.equal(services.lines.filter((line) => line === 'GET /uploads/u-1/parts?from=1').length, 2);
});

check('a link with expired credentials is renewed', async (services) => {
  let once = 0;
  services.s3 = () => (once++ ? undefined : xml(400, 'ExpiredToken'));
  assert.equal((await services.client().upload(recording(25))).status, 'COMPLETE');
});

check('an upload fails when a renewed link is refused', async (services) => {
  services.s3 = () => xml(403, 'AccessDenied');
  const error = await failure(services.client().upload(recording(35), { concurrency: 1 }));
  assert.deepEqual([error.error, error.status], ['AccessDenied', 403]);
  assert.equal(services.lines.filter((line) => line.startsWith('GET')).length, 1);
});

/** S3's answer to an expired link. */
const EXPIRED = {
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

const renewals = (services) => services.lines.filter((line) => line === 'GET /uploads/u-1/parts?from=1').length;

for (const times of [2, 3, 8]) {
  check(`a link that expires ${times} times in a row is renewed each time`, async (services) => {
    let left = times;
    services.s3 = ({ path }) => (path.endsWith('/2') && left-- > 0 ? EXPIRED : undefined);
    const file = recording(35);
    const upload = await services.client().upload(file, { concurrency: 1 });
    assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
    assert.equal(renewals(services), times);
  });
}

check('links are renewed without limit while a device sleeps, whichever error S3 sends', async (services, t) => {
  const clock = clockOf(t);
  let sleeps = 40;
  services.s3 = ({ path }) => {
    if (!path.endsWith('/2') || sleeps === 0) return undefined;
    sleeps -= 1;
    clock.ahead += 2 * 3600_000; // the device sleeps while the part is sent, so the connection breaks
    return sleeps % 2 ? DROP : xml(403, 'AccessDenied'); // and the link has expired when the part is retried
  };
  const file = recording(35);
  const upload = await services.client().upload(file, { concurrency: 1 });
  assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
  assert.ok(renewals(services) >= 19, String(renewals(services)));
});

check("an upload fails with S3's error when every renewed link has expired", async (services) => {
  services.s3 = () => EXPIRED;
  const error = await failure(services.client().upload(recording(35), { concurrency: 1 }));
  assert.deepEqual([error.error, error.message, error.status], ['AccessDenied', 'Request has expired', 403]);
  assert.equal(renewals(services), 10);
  assert.equal(services.pauses.length, 9); // with growing delays
  assert.ok(services.pauses.at(-1) > 8 * services.pauses[0]);
});

check("an upload fails with S3's error when a part is forbidden, even after the device slept", async (services, t) => {
  const clock = clockOf(t);
  services.s3 = ({ path }) => {
    if (path.endsWith('/1')) clock.ahead = 5 * 3600_000;
    return path.endsWith('/2') ? xml(403, 'AccessDenied') : undefined;
  };
  const error = await failure(services.client().upload(recording(35), { concurrency: 1 }));
  assert.deepEqual([error.error, error.message], ['AccessDenied', 'no: AccessDenied']);
  assert.equal(renewals(services), 2); // the old link may have expired; then one young link is replaced
});

check('a link that expires soon is renewed before its part is sent', async (services, t) => {
  const clock = clockOf(t);
  services.lifetime = '&X-Amz-Expires=3600';
  services.s3 = ({ path }) => {
    if (path.endsWith('/2')) clock.ahead += 3590_000;
    return undefined;
  };
  await services.client().upload(recording(35), { concurrency: 1 });
  assert.equal(renewals(services), 1);
  assert.equal(services.stored.length, 4); // no part was sent twice
});

check('a small file with an expired link starts a new upload and calls onStart again', async (services) => {
  let left = 2;
  services.s3 = () => (left-- > 0 ? EXPIRED : undefined);
  const started = [];
  const file = recording(SINGLE);
  const upload = await services.client().upload(file, { onStart: ({ id }) => started.push(id) });
  assert.deepEqual([upload.id, upload.status, started], ['u-3', 'COMPLETE', ['u-1', 'u-2', 'u-3']]);
  assert.deepEqual(services.bytesOf('u-3'), await bytesOf(file));
  services.s3 = () => xml(403, 'AccessDenied');
  assert.equal((await failure(services.client().upload(file))).message, 'no: AccessDenied');
});

check('PreconditionFailed after a lost answer counts as success', async (services) => {
  const file = recording(SINGLE);
  services.s3 = (request) => {
    const upload = services.uploads.get('u-1');
    if (upload.put) return xml(412, 'PreconditionFailed');
    upload.put = request.body;
    return DROP;
  };
  const progress = [];
  const upload = await services.client().upload(file, { onProgress: (sent) => progress.push(sent) });
  assert.deepEqual([upload.status, progress.at(-1)], ['COMPLETE', SINGLE]);
  services.s3 = () => xml(412, 'PreconditionFailed'); // without a lost answer, another client has written
  assert.equal((await failure(services.client().upload(file))).error, 'PreconditionFailed');
});

for (const [what, broken] of [
  ['S3', (services, drop) => (services.s3 = drop)],
  ['the API', (services, drop) => (services.api = drop)],
]) {
  check(`an upload continues after minutes without ${what}`, async (services) => {
    let left = 25;
    broken(services, () => (left-- > 0 ? DROP : undefined));
    const file = recording(75);
    const upload = await services.client().upload(file, { concurrency: 1 });
    assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));
    const waited = services.pauses.reduce((sum, ms) => sum + ms, 0);
    assert.ok(waited > 180_000, String(waited));
  });
}

check('an upload without network fails when patience is used up', async (services) => {
  services.s3 = () => DROP;
  const error = await failure(services.client({ patience: 60_000 }).upload(recording(75), { concurrency: 1 }));
  assert.deepEqual([error.error, error.status], ['NetworkError', 0]);
  const waited = services.pauses.reduce((sum, ms) => sum + ms, 0);
  assert.ok(waited > 30_000 && waited <= 60_000, String(waited));
});

check('an interrupted upload resumes with the missing parts', async (services) => {
  const file = recording(95);
  const client = services.client();
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
  assert.equal(services.stored.length, 6);
  assert.ok(!services.lines.includes(`POST /uploads/${id}/complete`));

  const progress = [];
  const upload = await client.upload(file, { resume: id, onProgress: (sent) => progress.push(sent) });
  assert.equal(upload.id, id);
  assert.deepEqual(services.stored.slice(6).map(({ path }) => path).sort(), ['/u-1/10', '/u-1/7', '/u-1/8', '/u-1/9']);
  assert.deepEqual(services.bytesOf(id), await bytesOf(file));
  assert.equal(progress.at(-1), 95);

  const again = [];
  const complete = await client.upload(file, { resume: id, onProgress: (sent) => again.push(sent) });
  assert.equal(complete.status, 'COMPLETE');
  assert.deepEqual(again, [95]);
  assert.equal(services.stored.length, 10);
});

check('resuming an upload with another file is refused', async (services) => {
  const client = services.client();
  const { id } = await client.upload(recording(95));
  for (const [file, words] of [[recording(94), '94 bytes'], [recording(95, 'other.wav'), 'other.wav']]) {
    const error = await failure(client.upload(file, { resume: id }));
    assert.equal(error.error, 'OtherFile');
    assert.match(error.message, new RegExp(words));
  }
  assert.equal(services.stored.length, 10);
  const nameless = await client.upload(new Blob([await bytesOf(recording(95))]), { resume: id });
  assert.equal(nameless.filename, 'reef.wav');
});

check('an interrupted single PUT starts a new upload', async (services) => {
  const client = services.client();
  services.s3 = () => xml(400, 'BadDigest');
  await failure(client.upload(recording(15)));
  services.s3 = () => undefined;
  const started = [];
  const upload = await client.upload(recording(15), { resume: 'u-1', onStart: ({ id }) => started.push(id) });
  assert.deepEqual([upload.id, started], ['u-2', ['u-2']]);
});

check('a running upload is aborted by its signal', async (services) => {
  const stop = new AbortController();
  services.s3 = () => {
    stop.abort('enough');
    return HANG;
  };
  assert.equal(await failure(services.client().upload(recording(95), { signal: stop.signal })), 'enough');
  assert.equal(await failure(services.client().upload(recording(95), { signal: stop.signal })), 'enough');
  assert.deepEqual(services.lines, ['POST /uploads']);
});

check('progress in a browser counts bytes within a part and subtracts those of a failed try', async (services, t) => {
  globalThis.XMLHttpRequest = FakeXhr;
  t.after(() => delete globalThis.XMLHttpRequest);
  let refused = false;
  services.s3 = ({ path }) => {
    if (refused || !path.endsWith('/2')) return undefined;
    refused = true;
    return xml(503, 'SlowDown');
  };
  const progress = [];
  const file = recording(35);
  const upload = await services.client().upload(file, { concurrency: 1, onProgress: (sent) => progress.push(sent) });
  assert.deepEqual(progress, [5, 10, 15, 20, 10, 15, 20, 25, 30, 32, 35]);
  assert.deepEqual(services.bytesOf(upload.id), await bytesOf(file));

  const small = await services.client().upload(recording(15));
  assert.equal(services.stored.at(-1).headers['content-type'], 'application/octet-stream');
  assert.equal(small.status, 'COMPLETE');

  const stop = new AbortController();
  services.s3 = () => {
    stop.abort('enough');
    return HANG;
  };
  assert.equal(await failure(services.client().upload(file, { signal: stop.signal })), 'enough');

  services.s3 = () => DROP;
  assert.equal((await failure(services.client().upload(file))).error, 'NetworkError');

  const before = services.stored.length;
  const last = [];
  services.s3 = ({ path }) => (path.endsWith('/4') ? xml(400, 'BadDigest') : HANG);
  await failure(services.client().upload(file, { onProgress: (sent) => last.push(sent) }));
  await Promise.all(services.stored.slice(before).map(({ closed }) => closed));
  await new Promise(setImmediate);
  assert.deepEqual(last, [5, 10, 15, 17, 20, 15]); // the three other parts report nothing after the end
});

/** A fake XMLHttpRequest with the parts that the client uses. */
class FakeXhr {
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

/** Return the given answers in request, then the last one again and again. */
const answerInTurn = (...given) => () => (given.length > 1 ? given.shift() : given[0]);

check('all tries of a start have the same idempotency key', async (services) => {
  services.api = answerInTurn(
    apiError(503, 'StorageError'), DROP, apiError(429, 'TooManyRequests'), json({ id: 'e-1' }, 202),
  );
  const request = { recordings: ['u-1'], model: 'reef', settings: { threshold: 0.6 }, webhook: 'https://lab.org/x' };
  assert.equal((await services.client().start(request)).id, 'e-1');
  const keys = services.requests.map(({ headers }) => headers['idempotency-key']);
  assert.equal(keys.length, 4);
  assert.equal(new Set(keys).size, 1);
  assert.match(keys[0], /^[\x21-\x7e]{20,255}$/);
  for (const { body, headers } of services.requests) {
    assert.deepEqual(JSON.parse(body), request);
    assert.equal(headers['content-type'], 'application/json');
  }
});

check('every start has its own idempotency key or the given one', async (services) => {
  services.api = () => json({ id: 'e-1' }, 202);
  const client = services.client();
  for (const more of [{}, {}, { idempotencyKey: 'mine' }]) await client.start({ recordings: ['u-1'], ...more });
  const keys = services.requests.map(({ headers }) => headers['idempotency-key']);
  assert.equal(new Set(keys).size, 3);
  assert.equal(keys[2], 'mine');
  assert.deepEqual(JSON.parse(services.requests[2].body), { recordings: ['u-1'] });
});

check('an idempotency key is made without crypto', async (services, t) => {
  const crypto = Object.getOwnPropertyDescriptor(globalThis, 'crypto');
  Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true });
  t.after(() => crypto && Object.defineProperty(globalThis, 'crypto', crypto));
  services.api = () => json({ id: 'e-1' }, 202);
  await services.client().start({ recordings: ['u-1'] });
  assert.match(services.requests[0].headers['idempotency-key'], /^[\x21-\x7e]{20,255}$/);
});

check('Retry-After is respected in seconds and as a date', async (services) => {
  const date = new Date(Date.now() + 600_000).toUTCString();
  services.api = answerInTurn(
    apiError(429, 'TooManyRequests', { 'retry-after': '70' }),
    apiError(503, 'StorageError', { 'retry-after': date }),
    apiError(503, 'StorageError', { 'retry-after': 'soon' }),
    json({ models: [] }),
  );
  await services.client().models();
  const [seconds, moment, neither] = services.pauses;
  assert.equal(seconds, 70_000);
  assert.ok(moment > 500_000 && moment <= 600_000, String(moment));
  assert.ok(neither < 10_000, String(neither));
});

check('a request fails after six tries with growing delays', async (services) => {
  services.api = () => apiError(503, 'StorageError');
  const error = await failure(services.client().models());
  assert.deepEqual([error.error, error.status], ['StorageError', 503]);
  assert.equal(services.requests.length, 6);
  assert.equal(services.pauses.length, 5);
  for (const [index, ms] of services.pauses.entries()) {
    const middle = 1000 * 1.5 ** index;
    assert.ok(ms >= 0.75 * middle && ms <= 1.25 * middle, `${index}: ${ms}`);
  }
});

check('errors that a retry cannot solve are not retried', async (services) => {
  for (const status of [400, 403, 404, 409, 410, 413, 500]) {
    services.api = () => apiError(status, 'Whatever');
    assert.equal((await failure(services.client().start({ recordings: [] }))).status, status);
  }
  assert.equal(services.requests.length, 7);
});

check('an answer of the gateway with Retry-After is retried', async (services) => {
  const busy = { ...apiError(500, 'InternalError'), headers: { 'retry-after': '5' } };
  services.api = answerInTurn(busy, json({ models: [] }));
  await services.client().models();
  assert.deepEqual(services.pauses, [5000]);
});

check('cancel and resume are retried only after 429', async (services) => {
  for (const method of ['cancel', 'resume']) {
    services.requests = [];
    services.api = answerInTurn(apiError(429, 'TooManyRequests'), apiError(503, 'StorageError'));
    assert.equal((await failure(services.client()[method]('e-1'))).status, 503);
    assert.equal(services.requests.length, 2);
  }
});

check("an error has the fields of the API's error", async (services) => {
  const details = [{ field: 'body.size', message: 'must be a number' }];
  services.api = () => json({ error: 'InvalidRequest', message: 'body.size: no', details, request_id: 'r-7' }, 400);
  const error = await failure(services.client().models());
  assert.ok(error instanceof AnemonefishError && error instanceof Error);
  assert.equal(error.name, 'AnemonefishError');
  assert.deepEqual([error.error, error.message, error.status], ['InvalidRequest', 'body.size: no', 400]);
  assert.deepEqual([error.details, error.requestId], [details, 'r-7']);
});

check("a proxy's page is an UnexpectedAnswer with any status", async (services) => {
  for (const status of [200, 404]) {
    services.api = () => ({ status, body: '<html>' });
    const error = await failure(services.client().models());
    assert.ok(error instanceof AnemonefishError);
    assert.deepEqual([error.error, error.status], ['UnexpectedAnswer', status]);
  }
});

check('a missing server is a NetworkError with its cause', async (services) => {
  services.api = () => DROP;
  const error = await failure(services.client().models());
  assert.ok(error instanceof AnemonefishError);
  assert.deepEqual([error.error, error.status], ['NetworkError', 0]);
  assert.ok(error.cause instanceof TypeError);
  assert.equal(services.requests.length, 6);
});

check('a redirect is not followed, so the key is not sent to another server', async (services) => {
  services.api = () => ({ status: 307, headers: { location: `${services.storage}/take` } });
  assert.equal((await failure(services.client().models())).error, 'NetworkError');
  assert.deepEqual(services.stored, []);
});

check('the headers function is called for every try', async (services) => {
  let tokens = 0;
  services.api = answerInTurn(apiError(503, 'StorageError'), json({ models: [] }));
  const headers = async () => ({ authorization: `token ${(tokens += 1)}` });
  await services.client({ key: undefined, headers }).models();
  assert.deepEqual(services.requests.map(({ headers }) => headers.authorization), ['token 1', 'token 2']);
  assert.equal(services.requests[0].headers['x-api-key'], undefined);
});

check('a signal aborts a request and the delay before a retry', async (services) => {
  const inRequest = new AbortController();
  services.api = () => {
    inRequest.abort('enough');
    return HANG;
  };
  assert.equal(await failure(services.client().models({ signal: inRequest.signal })), 'enough');

  const inPause = new AbortController();
  services.api = () => {
    setTimeout(() => inPause.abort('enough'), 20);
    return apiError(503, 'StorageError', { 'retry-after': '3600' });
  };
  const client = new Anemonefish({ url: services.url });
  assert.equal(await failure(client.models({ signal: inPause.signal })), 'enough');
});

// --- wait -------------------------------------------------------------------------------------------------------

const execution = (status, more) => json({ id: 'e-1', status, ranges_done: 0, ranges_total: 2, error: null, ...more });

check('wait polls until the end at the interval in Retry-After', async (services) => {
  const patient = { 'retry-after': '7' };
  services.api = answerInTurn(
    { ...execution('PENDING', { ranges_total: null }), headers: patient },
    { ...execution('RUNNING', { ranges_done: 1 }), headers: patient },
    apiError(503, 'StorageError'),
    execution('SUCCEEDED', { ranges_done: 2 }),
  );
  const progress = [];
  const onProgress = ({ status, ranges_done: done }) => progress.push([status, done]);
  const ended = await services.client().wait('e-1', { onProgress });
  assert.equal(ended.status, 'SUCCEEDED');
  assert.deepEqual(progress, [['PENDING', 0], ['RUNNING', 1], ['SUCCEEDED', 2]]);
  assert.deepEqual(services.pauses.slice(0, 2), [7000, 7000]);
  assert.equal(services.lines[0], 'GET /executions/e-1');
});

check('wait throws the reason of a failed execution', async (services) => {
  services.api = () => execution('FAILED', { error: { error: 'TruncatedRecording', message: 'a.wav: broken' } });
  const failed = await failure(services.client().wait('e-1'));
  assert.ok(failed instanceof AnemonefishError);
  assert.deepEqual([failed.error, failed.message], ['TruncatedRecording', 'a.wav: broken']);
  services.api = () => execution('CANCELLED');
  const cancelled = await failure(services.client().wait('e-1'));
  assert.deepEqual([cancelled.error, cancelled.message], ['Cancelled', 'e-1 is CANCELLED']);
});

check('wait times out during a delay and during a request', async (services) => {
  const client = new Anemonefish({ url: services.url });
  for (const given of [execution('RUNNING'), HANG]) {
    services.api = () => given;
    const error = await failure(client.wait('e-1', { timeout: 50 }));
    assert.ok(error instanceof AnemonefishError);
    assert.equal(error.error, 'Timeout');
    assert.match(error.message, /e-1 .* 50 ms/);
  }
});

check('wait throws NotStarted with a remedy when an execution is never started', async (services) => {
  services.api = () => execution('PENDING', { ranges_total: null });
  for (const startTimeout of [undefined, 60_000]) {
    services.pauses = [];
    const error = await failure(services.client().wait('e-1', { startTimeout }));
    assert.ok(error instanceof AnemonefishError);
    assert.deepEqual([error.error, error.status], ['NotStarted', 0]);
    const seconds = (startTimeout ?? 900_000) / 1000;
    assert.match(error.message, new RegExp(`e-1 has been PENDING for more than ${seconds} s.*idempotencyKey`));
    const waited = services.pauses.reduce((sum, ms) => sum + ms, 0);
    assert.ok(waited <= 1000 * seconds && waited > 500 * seconds, String(waited));
  }
});

check('startTimeout counts from the last change to PENDING, and a slow start succeeds', async (services) => {
  const slow = { ...execution('PENDING'), headers: { 'retry-after': '20' } };
  const fourTimes = Array(4).fill(slow);
  services.api = answerInTurn(...fourTimes, execution('RUNNING'), ...fourTimes, execution('SUCCEEDED'));
  assert.equal((await services.client().wait('e-1', { startTimeout: 90_000 })).status, 'SUCCEEDED');
  services.api = answerInTurn(...Array.from({ length: 40 }, () => execution('PENDING')), execution('SUCCEEDED'));
  assert.equal((await services.client().wait('e-1', { startTimeout: Infinity })).status, 'SUCCEEDED');
});

check('time in the queue does not count as a failed start', async (services) => {
  const queued = execution('PENDING', { queue: { position: 1, message: 'waits' } });
  services.api = answerInTurn(...Array.from({ length: 40 }, () => queued), execution('RUNNING'), execution('SUCCEEDED'));
  assert.equal((await services.client().wait('e-1', { startTimeout: 60_000 })).status, 'SUCCEEDED');
});

check('wait continues after minutes without the API', async (services) => {
  let left = 25;
  services.api = () => (left-- > 0 ? DROP : execution('SUCCEEDED'));
  assert.equal((await services.client().wait('e-1')).status, 'SUCCEEDED');
  left = Infinity;
  assert.equal((await failure(services.client({ patience: 30_000 }).wait('e-1'))).error, 'NetworkError');
});

check('a timeout that is longer than a timer can be is ignored', async (services) => {
  services.api = answerInTurn(execution('RUNNING'), execution('SUCCEEDED'));
  for (const timeout of [Infinity, 2 ** 40]) {
    assert.equal((await services.client().wait('e-1', { timeout })).status, 'SUCCEEDED');
  }
});

check('wait is aborted by its signal', async (services) => {
  const stop = new AbortController();
  services.api = () => execution('RUNNING');
  const client = new Anemonefish({ url: services.url });
  const onProgress = () => setTimeout(() => stop.abort('enough'));
  assert.equal(await failure(client.wait('e-1', { signal: stop.signal, onProgress })), 'enough');
});

// --- results, and the rest --------------------------------------------------------------------------------------

check('every method requests a route of the API', async (services) => {
  services.api = () => json({});
  const client = services.client();
  await client.quote({ recordings: ['u-1'] });
  await client.status('e-1');
  await client.uploads();
  await client.uploads({ limit: 5, from: 'u-9' });
  await client.list();
  await client.list({ limit: 5, from: 'e-9' });
  await client.results('e-1');
  await client.results('e-1', { recording: 2, decision: 'd-1' });
  await client.results('e-1', { predictions: false });
  await client.file('e-1', 'raven', { decision: 'd-1' });
  await client.decide('e-1', { threshold: 0.7 }, { recording: 1 });
  await client.cancel('e-1');
  await client.resume('e-1');
  await client.restore('e-1');
  await client.restore('e-1', { tier: 'bulk' });
  await client.models();
  await client.model('reef', '../1');
  assert.deepEqual(services.lines, [
    'POST /executions?dry_run=true',
    'GET /executions/e-1',
    'GET /uploads',
    'GET /uploads?limit=5&from=u-9',
    'GET /executions',
    'GET /executions?limit=5&from=e-9',
    'GET /executions/e-1/results',
    'GET /executions/e-1/results?recording=2&decision=d-1',
    'GET /executions/e-1/results?predictions=false',
    'GET /executions/e-1/results?format=raven&decision=d-1&redirect=false',
    'POST /executions/e-1/decisions?recording=1',
    'DELETE /executions/e-1',
    'POST /executions/e-1/resume',
    'POST /executions/e-1/restore',
    'POST /executions/e-1/restore?tier=bulk',
    'GET /models',
    'GET /models/reef/..%2F1',
  ]);
  const decided = services.requests.find(({ path }) => path.endsWith('/decisions'));
  assert.deepEqual(JSON.parse(decided.body), { threshold: 0.7 });
});

check('an upload is read and deleted, and the usage of the key is read', async (services) => {
  services.api = ({ method }) => (method === 'DELETE' ? { status: 204, body: '' } : json({ id: 'u-1' }));
  const client = services.client();
  assert.deepEqual(await client.uploadStatus('u-1'), { id: 'u-1' });
  assert.equal(await client.deleteUpload('u-1'), null);
  await client.usage();
  assert.deepEqual(services.lines, ['GET /uploads/u-1', 'DELETE /uploads/u-1', 'GET /usage']);
});

check('all files are listed page by page, as they are needed', async (services) => {
  services.api = ({ query }) =>
    query.get('from') === 'a b.csv'
      ? json({ files: [{ name: 'c', url: null, size: 2 }], next: null })
      : json({ files: [{ name: 'a b.csv', url: 'https://s3', size: 1 }], next: '/executions/e-1/files?all=true&from=a%20b.csv' });
  const names = [];
  for await (const { name } of services.client().allFiles('e-1')) {
    names.push(name);
    assert.equal(services.lines.length, names.length);
  }
  assert.deepEqual(names, ['a b.csv', 'c']);
  assert.deepEqual(services.lines, ['GET /executions/e-1/files?all=true', 'GET /executions/e-1/files?all=true&from=a+b.csv']);
});

check('a stretch of a recording is heard and seen by links', async (services) => {
  services.api = () => json({ url: 'https://s3/clip', start_sample: 1 });
  const client = services.client();
  assert.equal((await client.clip('e-1', 3, 12.3, 14)).url, 'https://s3/clip');
  assert.equal((await client.spectrogram('e-1', 0, 0, 0.5)).start_sample, 1);
  assert.deepEqual(services.lines, [
    'GET /executions/e-1/recordings/3/clip?start=12.3&stop=14&redirect=false',
    'GET /executions/e-1/recordings/0/spectrogram?start=0&stop=0.5&redirect=false',
  ]);
});

check('a sample is drawn, judged, and its verdicts are read from all pages', async (services) => {
  const page = { 0: 'one', 1: 'two' };
  services.api = ({ query }) => {
    const from = Number(query.get('from') ?? 0);
    return json({ verdicts: [{ reviewer: page[from] }], next: from ? null : '/executions/e-1/verdicts?limit=1&from=1' });
  };
  const client = services.client();
  await client.reviewUnits('e-1');
  await client.reviewUnits('e-1', { clips: 20, seed: 3, class: 'biological' });
  const verdicts = [{ recording: 0, start_sample: 0, stop_sample: 9600, class: 'anemonefish', verdict: 'yes' }];
  await client.putVerdicts('e-1', { reviewer: 'Ana', verdicts, signal: new AbortController().signal });
  assert.deepEqual(await client.verdicts('e-1'), [{ reviewer: 'one' }, { reviewer: 'two' }]);
  await client.verdictFile('e-1', 'labels', { clips: 20, seed: 3 });
  assert.deepEqual(services.lines, [
    'GET /executions/e-1/review',
    'GET /executions/e-1/review?clips=20&seed=3&class=biological',
    'PUT /executions/e-1/verdicts',
    'GET /executions/e-1/verdicts',
    'GET /executions/e-1/verdicts?limit=1&from=1',
    'GET /executions/e-1/verdicts?format=labels&clips=20&seed=3&redirect=false',
  ]);
  assert.deepEqual(JSON.parse(services.requests[2].body), { reviewer: 'Ana', verdicts });
});

check('a download returns the file and is retried', async (services) => {
  services.api = () => json({ url: `${services.storage}/a-file` });
  services.s3 = answerInTurn(xml(503, 'SlowDown'), DROP, { body: 'a,b\n' });
  const response = await services.client().download('e-1', 'csv', { recording: 3 });
  assert.equal(await response.text(), 'a,b\n');
  assert.equal(services.lines[0], 'GET /executions/e-1/results?format=csv&recording=3&redirect=false');
  services.s3 = () => xml(404, 'NoSuchKey');
  const error = await failure(services.client().download('e-1', 'csv'));
  assert.deepEqual([error instanceof AnemonefishError, error.error, error.status], [true, 'NoSuchKey', 404]);
});

check('a clip is sent as a form', async (services) => {
  const forms = [];
  services.api = ({ headers, body }) => {
    forms.push(new Response(body, { headers: { 'content-type': headers['content-type'] } }).formData());
    return forms.length === 1 ? apiError(503, 'StorageError') : json({ predictions: [], events: [] });
  };
  const config = { threshold: 0.7 };
  await services.client().predict(recording(15), { config });
  await services.client().predict(new Blob(['RIFF']), { field: 'audio', name: 'b.wav' });
  assert.deepEqual(services.lines, Array(3).fill('POST /inference/predict'));
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
