import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { VerdictQueues } from '../src/review/verdict-queues.ts';
import type { ListedKeeper } from '../src/review/verdict-queues.ts';

const stretch = (number: number) => ({ recording: 0, start_sample: number, stop_sample: number + 10, class: 'anemonefish' });
const yes = { verdict: 'yes', calls: null, mark: null };

class Memory implements ListedKeeper {
  readonly items = new Map<string, string>();
  full = false;
  get length() {
    return this.items.size;
  }
  key = (index: number) => [...this.items.keys()][index] ?? null;
  getItem = (key: string) => this.items.get(key) ?? null;
  removeItem = (key: string) => void this.items.delete(key);
  setItem = (key: string, value: string) => {
    if (this.full) throw new Error('QuotaExceededError');
    this.items.set(key, value);
  };
}

/** Wait for something that must happen, however slow the machine is. */
async function until(happened: () => boolean) {
  for (let tries = 0; !happened() && tries < 500; tries += 1) await sleep(5);
  assert.ok(happened());
}

function setUp() {
  const memory = new Memory();
  const service = { online: true, stored: [] as string[] };
  const page = () => new VerdictQueues({ keeper: memory, retryDelay: 60_000, kindOf: () => 'passing' });
  /** Return what sends as a user. */
  const as = (user: string) => async (execution: string, reviewer: string, verdicts: { start_sample: number }[]) => {
    await sleep(1);
    if (!service.online) throw new Error('offline');
    service.stored.push(...verdicts.map((each) => [user, execution, reviewer, each.start_sample].join(' ')));
  };
  return { memory, service, page, as };
}

test('verdicts that an earlier visit could not send are sent when the page opens, whichever review they are of', async () => {
  const { memory, service, page, as } = setUp();
  service.online = false;
  const before = page();
  before.signIn('u1', as('u1'));
  before.open('e-1', 'Ana').put(stretch(1), yes);
  before.open('e-2', 'Ana / Ben').put(stretch(2), yes);
  await sleep(10);
  assert.deepEqual([before.waiting.value.count, before.waiting.value.review?.execution], [2, 'e-1']);
  before.signOut(); // the page closes, or the key is forgotten
  assert.equal(before.waiting.value.count, 0);

  service.online = true;
  const other = page();
  other.signIn('u2', as('u2'));
  await sleep(10);
  assert.deepEqual(service.stored, []); // another user sends nothing of it
  const after = page();
  after.signIn('u1', as('u1'));
  assert.equal(after.waiting.value.count, 2);
  await until(() => after.waiting.value.count === 0);
  assert.deepEqual(service.stored.sort(), ['u1 e-1 Ana 1', 'u1 e-2 Ana / Ben 2']);
  assert.equal(memory.length, 0);
});

test('the connection that comes back sends the verdicts of a review that was left', async () => {
  const { service, page, as } = setUp();
  const queues = page();
  queues.signIn('u1', as('u1'));
  service.online = false;
  queues.open('e-1', 'Ana').put(stretch(1), yes);
  await sleep(10);
  service.online = true;
  await queues.flush();
  assert.deepEqual(service.stored, ['u1 e-1 Ana 1']);
  queues.signOut();
});

test('a full browser loses nothing while the page is open, also over sign-out', async () => {
  const { memory, service, page, as } = setUp();
  memory.full = true;
  service.online = false;
  const queues = page();
  queues.signIn('u1', as('u1'));
  queues.open('e-1', 'Ana').put(stretch(1), yes);
  await sleep(10);
  assert.equal(queues.atRisk, true);
  assert.equal(queues.open('e-1', 'Ana').get(stretch(1))?.verdict, 'yes'); // the review is opened again
  queues.signOut();
  assert.equal(queues.atRisk, true);
  service.online = true;
  queues.signIn('u2', as('u2'));
  await sleep(10);
  assert.deepEqual([service.stored, queues.waiting.value.count], [[], 0]);
  queues.signIn('u1', as('u1'));
  await until(() => !queues.atRisk);
  assert.deepEqual(service.stored, ['u1 e-1 Ana 1']);
});
