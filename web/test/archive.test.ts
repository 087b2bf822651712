import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { AnemonefishError } from '../src/client.ts';
import { makeArchive } from '../src/results/archive.ts';
import { safePath, uniqueNames } from '../src/results/file-names.ts';

test('a name cannot leave the folder of the archive', () => {
  assert.equal(safePath('../../etc/passwd'), 'etc/passwd');
  assert.equal(safePath('/absolute/a.csv'), 'absolute/a.csv');
  assert.equal(safePath('C:\\temp\\a.csv'), 'C_/temp/a.csv');
  assert.equal(safePath('..'), 'file');
});

test('a name holds no character that a file system refuses', () => {
  assert.equal(safePath('<b>x</b>.wav.json'), '_b_x_/b_.wav.json');
  assert.equal(safePath('a\u202Egnp.csv'), 'a_gnp.csv');
  assert.equal(safePath('review/clips/a.wav.12.flac'), 'review/clips/a.wav.12.flac');
});

test('equal names are numbered before their endings', () => {
  const unique = uniqueNames();
  assert.equal(unique('a.wav.events.csv'), 'a.wav.events.csv');
  assert.equal(unique('A.wav.events.csv'), 'A-2.wav.events.csv');
  assert.equal(unique('a.wav.events.csv'), 'a-3.wav.events.csv');
  assert.equal(unique('x/settings'), 'x/settings');
  assert.equal(unique('x/settings'), 'x/settings-2');
});

test('an archive whose file did not arrive is rejected with the reason of that file', async (context) => {
  context.mock.method(Response.prototype, 'blob', async function (this: Response) {
    await this.arrayBuffer().catch(() => {});
    throw new TypeError('Failed to fetch'); // a browser does not say why a stream broke
  });
  const expired = new AnemonefishError('AccessDenied', 'Request has expired', { status: 403 });
  async function* entries() {
    yield { name: 'a.csv', content: async () => new Blob(['start']) };
    yield { name: 'b.csv', content: () => Promise.reject(expired) };
  }
  await assert.rejects(makeArchive(entries(), new AbortController().signal, () => {}), expired);
});

test('a file whose line breaks is fetched again, and its bytes count once', async (context) => {
  let [tries, progress] = [0, { files: 0, bytes: 0 }];
  context.mock.method(globalThis, 'fetch', async () => {
    tries += 1;
    if (tries === 1) throw new TypeError('Failed to fetch');
    const whole = tries > 2;
    return new Response(
      new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('first half,'));
        },
        pull(controller) {
          if (!whole) return controller.error(new TypeError('network error'));
          controller.enqueue(new TextEncoder().encode('second half'));
          controller.close();
        },
      }),
    );
  });
  async function* entries() {
    yield { name: 'a.csv', content: async () => 'https://storage.example/a' };
  }
  const blob = await makeArchive(entries(), new AbortController().signal, (next) => (progress = next), { retryDelay: 1 });
  assert.equal(tries, 3);
  assert.deepEqual(progress, { files: 1, bytes: 22 });
  assert.ok((await blob.text()).includes('first half,second half'));
});

test('an archive is given up after a few tries, and at once if the storage refuses a file', async (context) => {
  const link = mocked(context, () => Promise.reject(new TypeError('Failed to fetch')));
  await assert.rejects(link.archive(), { error: 'NetworkError' });
  assert.equal(link.tries(), 4);
  const expired = mocked(context, async () => new Response('<Code>AccessDenied</Code><Message>expired</Message>', { status: 403 }));
  await assert.rejects(expired.archive(), { error: 'AccessDenied' });
  assert.equal(expired.tries(), 1);
});

function mocked(context: TestContext, answer: () => Promise<Response>) {
  const { mock } = context.mock.method(globalThis, 'fetch', answer);
  async function* entries() {
    yield { name: 'a.csv', content: async () => 'https://storage.example/a' };
  }
  return {
    archive: () => makeArchive(entries(), new AbortController().signal, () => {}, { retryDelay: 1 }),
    tries: () => mock.callCount(),
  };
}
