import assert from 'node:assert/strict';
import test, { mock } from 'node:test';
import type { UploadQueue } from '../src/uploads/upload-queue.ts';
import { stubSessionStorage } from './helpers.ts';

stubSessionStorage();
const stubs = { addEventListener: () => {}, navigator: { onLine: true } };
for (const [name, value] of Object.entries(stubs)) Object.defineProperty(globalThis, name, { value, writable: true });

const { AnemonefishError } = await import('../src/client.ts');
const { client, config, endSession, session } = await import('../src/session.ts');
const { followUploads, uploadQueue } = await import('../src/uploads/queue-of-user.ts');

/** Let everything run that needs no timer. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function idle(queue: UploadQueue) {
  for (let round = 0; queue.busy.value && round < 500; round += 1) await settle();
  assert.equal(queue.busy.value, false);
}

test('files that failed because nothing answered are sent again every minute until the session ends', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  config.value = { apiUrl: 'https://api.example', signIn: 'api-key', cognito: null };
  followUploads();
  session.value = { kind: 'api-key', key: 'k' };
  for (let round = 0; round < 500 && !uploadQueue.value; round += 1) await settle();
  const queue = uploadQueue.value!;
  let tries = 0;
  (client.value as any).upload = async () => {
    tries += 1;
    throw new AnemonefishError('NetworkError', 'no answer');
  };
  await queue.add([{ path: 'a.wav', file: new File(['a'], 'a.wav') }]);
  await idle(queue);
  for (const expected of [2, 3]) {
    mock.timers.tick(60_000);
    await idle(queue);
    assert.equal(tries, expected);
  }
  endSession();
  mock.timers.tick(600_000);
  await settle();
  assert.equal(tries, 3);
  mock.timers.reset();
});
