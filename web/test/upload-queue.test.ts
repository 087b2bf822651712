import assert from 'node:assert/strict';
import test from 'node:test';
import { AnemonefishError } from '../src/client.ts';
import { UploadQueue } from '../src/uploads/upload-queue.ts';
import { RecordsInMemory } from '../src/uploads/upload-records.ts';

/** The uploads of a service: which file is which, and how often bytes were sent. */
class Service {
  uploads = new Map<string, { filename: string; size: number; complete: boolean }>();
  begun = 0;
  sent: string[] = [];
  resumed: string[] = [];
  deleted: string[] = [];
  active = 0;
  mostActive = 0;
  /** Called for each upload with bytes; may throw or wait. */
  transfer: (name: string, signal: AbortSignal) => Promise<void> = async () => {};

  async upload(blob: Blob, { name, resume, onStart, onProgress, signal }: any) {
    if (resume) {
      const known = this.uploads.get(resume);
      if (!known) throw new AnemonefishError('UploadNotFound', 'gone');
      this.resumed.push(name);
      if (known.complete) return { id: resume };
    }
    const id = resume ?? `u-${(this.begun += 1)}`;
    this.uploads.set(id, { filename: name, size: blob.size, complete: false });
    onStart({ id });
    this.active += 1;
    this.mostActive = Math.max(this.mostActive, this.active);
    try {
      await tick();
      await this.transfer(name, signal);
      signal.throwIfAborted();
    } finally {
      this.active -= 1;
    }
    this.sent.push(name);
    onProgress(blob.size);
    this.uploads.get(id)!.complete = true;
    return { id };
  }

  async uploadStatus(id: string) {
    if (!this.uploads.has(id)) throw new AnemonefishError('UploadNotFound', 'gone');
  }

  async deleteUpload(id: string) {
    this.deleted.push(id);
    this.uploads.delete(id);
  }
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));
const file = (name: string, content = name, lastModified = 1) => ({
  path: name,
  file: new File([content], name, { lastModified }),
});
const states = (queue: UploadQueue) => queue.items.value.map(({ state }) => state.value);

function start(records = new RecordsInMemory()) {
  const service = new Service();
  return { service, records, queue: new UploadQueue(service as any, records) };
}

async function idle(queue: UploadQueue) {
  for (let round = 0; queue.busy.value && round < 500; round += 1) await tick();
  assert.equal(queue.busy.value, false);
}

/** A transfer that ends when it is aborted. */
const untilAborted = (_: string, signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

test('all files are sent, a few at a time, and can then be analysed in the order of their paths', async () => {
  const { service, queue } = start();
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  service.transfer = () => released;
  await queue.add(Array.from({ length: 10 }, (_, number) => file(`${9 - number}.wav`)));
  while (service.active < 3) await tick();
  await tick();
  release();
  await idle(queue);
  assert.equal(service.mostActive, 3);
  assert.deepEqual(
    queue.items.value.map(({ record }) => record.name),
    [...'0123456789'].map((number) => `${number}.wav`),
  );
  assert.equal(queue.completeIds.value.length, 10);
});

test('a file that is not a recording is left out and said, the others are sent', async () => {
  const { queue } = start();
  await queue.add([file('a.wav'), file('notes.txt'), { path: 'b.wav', file: new File([], 'b.wav') }]);
  await idle(queue);
  assert.deepEqual(queue.leftOut.value, [
    { path: 'b.wav', reason: 'empty' },
    { path: 'notes.txt', reason: 'not-audio' },
  ]);
  assert.deepEqual(states(queue), ['complete']);
});

test('what could not be read in a drop is listed with the files that are left out', async () => {
  const { queue } = start();
  await queue.add([file('notes.txt')], [{ path: 'card/broken.wav', reason: 'unreadable' }]);
  assert.deepEqual(
    queue.leftOut.value.map(({ path }) => path),
    ['card/broken.wav', 'notes.txt'],
  );
});

test('a file is not listed twice, and a file of the same name with other sound is another file', async () => {
  const { queue } = start();
  await queue.add([file('a.wav', 'one')]);
  await queue.add([file('a.wav', 'one'), file('a.wav', 'two')]);
  await idle(queue);
  assert.equal(queue.items.value.length, 2);
  assert.deepEqual(queue.leftOut.value, [{ path: 'a.wav', reason: 'duplicate' }]);
});

test('a file that was sent before is not sent again, also after the list was cleared', async () => {
  const { service, queue } = start();
  await queue.add([file('a.wav')]);
  await idle(queue);
  await queue.clear();
  assert.deepEqual(queue.items.value, []);
  await queue.add([file('a.wav')]);
  await idle(queue);
  assert.deepEqual([service.sent, service.resumed], [['a.wav'], ['a.wav']]);
  assert.deepEqual(queue.completeIds.value, ['u-1']);
});

test('a file is sent again if the service has deleted its upload', async () => {
  const { service, queue } = start();
  await queue.add([file('a.wav')]);
  await idle(queue);
  await queue.clear();
  service.uploads.clear();
  await queue.add([file('a.wav')]);
  await idle(queue);
  assert.deepEqual(service.sent, ['a.wav', 'a.wav']);
});

test('after a reload, complete files are ready, and a file that is chosen again resumes its upload', async () => {
  const { service, records, queue } = start();
  service.transfer = (name, signal) => (name === 'long.wav' ? untilAborted(name, signal) : Promise.resolve());
  await queue.add([file('a.wav'), file('long.wav')]);
  while (queue.completeIds.value.length < 1) await tick();

  const reloaded = new UploadQueue(service as any, records);
  await reloaded.restore();
  assert.deepEqual(
    reloaded.items.value.map(({ record, state }) => [record.name, state.value]),
    [
      ['a.wav', 'complete'],
      ['long.wav', 'file-needed'],
    ],
  );
  service.transfer = async () => {};
  await reloaded.add([file('long.wav')]);
  await idle(reloaded);
  assert.deepEqual(reloaded.completeIds.value, ['u-1', 'u-2']);
  assert.deepEqual(service.resumed, ['long.wav']);
  queue.pause();
});

test('after a reload, the files have the order in which they were, also those that were sent earlier', async () => {
  const { service, records, queue } = start();
  await queue.add([file('b.wav'), file('c.wav')]);
  await queue.addUploads(['z', 'a'].map((name, number) => ({ id: `u-${name}`, filename: `${name}.wav`, size: number })));
  await queue.remove(queue.items.value[0]);
  await queue.add([file('d.wav'), file('b.wav')]);
  await idle(queue);
  const before = queue.items.value.map(({ record }) => record.name);
  const reloaded = new UploadQueue(service as any, records);
  await reloaded.restore();
  assert.deepEqual(before, ['c.wav', 'z.wav', 'a.wav', 'b.wav', 'd.wav']);
  assert.deepEqual(
    reloaded.items.value.map(({ record }) => record.name),
    before,
  );
  assert.deepEqual(reloaded.completeIds.value, queue.completeIds.value);
});

test('after a reload, a file of the same name with other sound does not resume the upload', async () => {
  const { service, records, queue } = start();
  service.transfer = untilAborted;
  await queue.add([file('a.wav', 'one')]);
  const reloaded = new UploadQueue(service as any, records);
  await reloaded.restore();
  service.transfer = async () => {};
  await reloaded.add([file('a.wav', 'two')]);
  await idle(reloaded);
  assert.deepEqual(states(reloaded), ['file-needed', 'complete']);
  assert.deepEqual(service.resumed, []);
  queue.pause();
});

test('after a reload, a dropped file is opened again without the user, or with one click', async () => {
  for (const permission of ['granted', 'prompt'] as const) {
    const { service, records, queue } = start();
    service.transfer = untilAborted;
    const chosen = file('a.wav');
    const root = {
      kind: 'file',
      getFile: async () => chosen.file,
      queryPermission: async () => permission,
      requestPermission: async () => 'granted',
    } as any;
    await queue.add([{ ...chosen, root }]);
    const reloaded = new UploadQueue(service as any, records);
    service.transfer = async () => {};
    await reloaded.restore();
    if (permission === 'prompt') {
      assert.deepEqual(states(reloaded), ['permission-needed']);
      await reloaded.allow();
    }
    await idle(reloaded);
    assert.deepEqual(states(reloaded), ['complete']);
    queue.pause();
  }
});

test('pause stops sending, and continue resumes the same uploads', async () => {
  const { service, queue } = start();
  service.transfer = untilAborted;
  await queue.add([1, 2, 3, 4].map((number) => file(`${number}.wav`)));
  queue.pause();
  await tick();
  assert.deepEqual(states(queue), Array(4).fill('paused'));
  service.transfer = async () => {};
  queue.resume();
  await idle(queue);
  assert.deepEqual(states(queue), Array(4).fill('complete'));
  assert.equal(service.uploads.size, 4);
});

test('a file that could not be sent says why, does not hold up the others, and can be sent again', async () => {
  const { service, queue } = start();
  service.transfer = async (name) => {
    if (name === 'a.wav') throw new AnemonefishError('NetworkError', 'no answer');
  };
  await queue.add([file('a.wav'), file('b.wav')]);
  await idle(queue);
  assert.deepEqual(states(queue), ['failed', 'complete']);
  assert.equal((queue.items.value[0].error.value as AnemonefishError).error, 'NetworkError');
  service.transfer = async () => {};
  queue.retryBroken();
  await idle(queue);
  assert.deepEqual(states(queue), ['complete', 'complete']);
});

test('files that a start would leave out are counted', async () => {
  const { service, queue } = start();
  service.transfer = async (name) => {
    if (name === 'a.wav') throw new AnemonefishError('StorageRefused', 'no');
  };
  await queue.add([file('a.wav'), file('b.wav')]);
  await idle(queue);
  queue.pause();
  await queue.add([file('c.wav')]);
  assert.deepEqual([queue.unsent.value, queue.completeIds.value.length, queue.busy.value], [2, 1, false]);
});

test('a file that could not be sent is sent again when it is chosen again', async () => {
  const { service, queue } = start();
  service.transfer = async () => {
    throw new AnemonefishError('StorageRefused', 'no');
  };
  await queue.add([file('a.wav')]);
  await idle(queue);
  service.transfer = async () => {};
  await queue.add([file('a.wav')]);
  await idle(queue);
  assert.deepEqual([states(queue), queue.leftOut.value], [['complete'], []]);
});

test('a file that could not be sent waits with the others while sending is paused', async () => {
  const { service, queue } = start();
  service.transfer = async () => {
    throw new AnemonefishError('NetworkError', 'no answer');
  };
  await queue.add([file('a.wav')]);
  await idle(queue);
  queue.pause();
  queue.retryBroken();
  assert.deepEqual(states(queue), ['paused']);
});

test('removing a file stops it and deletes the incomplete upload; a complete upload stays in the service', async () => {
  const { service, records, queue } = start();
  await queue.add([file('a.wav')]);
  await idle(queue);
  service.transfer = untilAborted;
  await queue.add([file('b.wav')]);
  await tick();
  for (const item of queue.items.value) await queue.remove(item);
  assert.deepEqual(service.deleted, ['u-2']);
  assert.deepEqual(
    (await records.all()).map(({ name, listed }) => [name, listed]),
    [['a.wav', false]],
  );
});

test('a complete upload of an earlier start stays in the service although its file is removed before it was asked', async () => {
  const { service, queue } = start();
  await queue.add([file('a.wav')]);
  await idle(queue);
  await queue.clear();
  queue.pause();
  await queue.add([file('a.wav')]);
  assert.deepEqual(states(queue), ['paused']);
  await queue.removeAll();
  assert.deepEqual([service.deleted, [...service.uploads.keys()]], [[], ['u-1']]);
});

test('an upload that replaces a lost one is deleted if its file is removed while it is sent', async () => {
  const { service, queue } = start();
  await queue.add([file('a.wav')]);
  await idle(queue);
  await queue.clear();
  service.uploads.delete('u-1');
  service.transfer = untilAborted;
  await queue.add([file('a.wav')]);
  while (service.active < 1) await tick();
  await queue.removeAll();
  assert.deepEqual(service.deleted, ['u-2']);
});

test('an upload that the service no longer has is found, and its file can be chosen again', async () => {
  const { service, queue } = start();
  await queue.add([file('a.wav'), file('b.wav')]);
  await idle(queue);
  service.uploads.delete('u-1');
  await queue.verify();
  assert.deepEqual(states(queue), ['gone', 'complete']);
  await queue.add([file('a.wav')]);
  await idle(queue);
  assert.deepEqual(states(queue), ['complete', 'complete']);
});

test('uploads that cannot be looked at stay in the list', async () => {
  const { service, queue } = start();
  await queue.add([file('a.wav'), file('b.wav')]);
  await idle(queue);
  service.uploadStatus = () => Promise.reject(new AnemonefishError('NetworkError', 'no answer'));
  await queue.verify();
  assert.deepEqual(states(queue), ['complete', 'complete']);
});

test('earlier uploads are listed once and survive a reload', async () => {
  const { service, records, queue } = start();
  const upload = { id: 'u-9', filename: 'a.wav', size: 5 };
  await queue.addUploads([upload]);
  await queue.addUploads([upload]);
  const reloaded = new UploadQueue(service as any, records);
  await reloaded.restore();
  assert.deepEqual(reloaded.completeIds.value, ['u-9']);
});

test('files are sent and can be removed although the browser can store nothing, and the user is told', async () => {
  const fail = async () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  const records = Object.assign(new RecordsInMemory(), { all: fail, put: fail, delete: fail, addRoot: fail, clear: fail });
  const { service, queue } = start(records as any);
  assert.equal(queue.remembers.value, true);
  await queue.restore();
  await queue.add([{ ...file('a.wav'), root: { kind: 'file' } as any }, file('b.wav')]);
  await idle(queue);
  assert.deepEqual([states(queue), queue.remembers.value], [['complete', 'complete'], false]);
  service.transfer = untilAborted;
  await queue.add([file('c.wav')]);
  while (service.active < 1) await tick();
  await queue.removeAll();
  assert.deepEqual([queue.items.value, service.deleted], [[], ['u-3']]);
});

test('after sign-out nothing is remembered', async () => {
  const { records, queue } = start();
  await queue.add([file('a.wav')]);
  await idle(queue);
  await queue.forget();
  assert.deepEqual([await records.all(), queue.items.value], [[], []]);
});
