import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { VerdictQueues } from '../src/review/verdict-queues.ts';
import { Memory, stretch, until } from './helpers.ts';

const yes = { verdict: 'yes', calls: null, mark: null };

function setUp() {
  const memory = new Memory();
  const service = { online: true, tries: 0, stored: [] as string[] };
  const page = () => new VerdictQueues({ keeper: memory, retryDelay: 60_000, kindOf: () => 'passing' });
  /** Return what sends as a user. */
  const as = (user: string) => async (execution: string, reviewer: string, verdicts: { start_sample: number }[]) => {
    await sleep(1);
    service.tries += 1;
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
  await until(() => service.tries === 1);
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
  await until(() => service.tries === 1);
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

test('a request that still runs at sign-out and a verdict after the next sign-in do not overwrite each other', async () => {
  const { memory, service, page, as } = setUp();
  const queues = page();
  queues.signIn('u1', as('u1'));
  queues.open('e-1', 'Ana').put(stretch(1), yes);
  queues.signOut();
  queues.signIn('u1', as('u1'));
  queues.open('e-1', 'Ana').put(stretch(2), yes);
  assert.equal(queues.waiting.value.count, 2);
  await until(() => queues.waiting.value.count === 0);
  assert.deepEqual(service.stored, ['u1 e-1 Ana 1', 'u1 e-1 Ana 2']);
  assert.equal(memory.length, 0);
});
