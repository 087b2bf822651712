import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { VerdictQueue } from '../src/review/verdict-queue.ts';
import type { Keeper, SentVerdict } from '../src/review/verdict-queue.ts';
import { actionOf, cleanName, judgedAs, markedAs, markOf, nextOpen, withEdge } from '../src/review/verdicts.ts';
import { Memory, stretch, until } from './helpers.ts';

const judged = (verdict: string, calls: number | null = null) => ({ verdict, calls, mark: null });

function setUp(keeper: Keeper | null = new Memory()) {
  const service = { online: true, refusal: null as Error | null, bad: null as number | null, tries: 0, batches: [] as SentVerdict[][] };
  const make = () =>
    new VerdictQueue({
      place: 'e-1/Ana',
      keeper,
      retryDelay: 10,
      onChange: () => {},
      kindOf: (error) => {
        const { message } = error as Error;
        return message === 'offline' ? 'passing' : message === 'NotAllowed' ? 'access' : 'content';
      },
      send: async (verdicts) => {
        await sleep(1);
        service.tries += 1;
        if (!service.online) throw new Error('offline');
        if (service.refusal) throw service.refusal;
        if (verdicts.some(({ start_sample }) => start_sample === service.bad)) throw new Error('InvalidRequest');
        service.batches.push(verdicts);
      },
    });
  return { service, make, queue: make() };
}

test('a verdict is sent at once', async () => {
  const { service, queue } = setUp();
  queue.put(stretch(1), judged('yes', 2));
  assert.equal(queue.waiting, 1);
  await until(() => queue.waiting === 0);
  assert.deepEqual(service.batches, [
    [{ ...stretch(1), verdict: 'yes', calls: 2, mark_start_sample: null, mark_stop_sample: null }],
  ]);
});

test('without a connection verdicts wait, survive a reload, and are sent in their order', async () => {
  const { service, queue, make } = setUp();
  service.online = false;
  queue.put(stretch(1), judged('yes'));
  queue.put(stretch(2), judged('no'));
  queue.put(stretch(1), judged('unsure'));
  await sleep(30);
  queue.close();
  await sleep(20); // a request of the closed page may still be on its way
  assert.deepEqual(service.batches, []);
  const later = make();
  assert.equal(later.waiting, 2);
  assert.equal(later.get(stretch(1))?.verdict, 'unsure');
  service.online = true;
  await later.flush();
  assert.deepEqual(service.batches.flat().map(({ start_sample, verdict }) => [start_sample, verdict]), [[2, 'no'], [1, 'unsure']]);
  assert.equal(make().waiting, 0);
});

test('the connection comes back by itself', async () => {
  const { service, queue } = setUp();
  service.online = false;
  queue.put(stretch(1), judged('yes'));
  await sleep(15);
  service.online = true;
  await until(() => queue.waiting === 0);
  assert.equal(queue.error, null);
});

test('the kind of a stretch is sent, and the stretch is the same one without it', async () => {
  const { service, queue } = setUp();
  queue.put({ ...stretch(1), kind: 'segment' }, judged('no'));
  await until(() => service.batches.length === 1);
  assert.equal(service.batches[0][0].kind, 'segment');
  assert.equal(queue.get(stretch(1))?.verdict, 'no');
});

test('a verdict that changes while it is sent is sent again', async () => {
  const { service, queue } = setUp();
  queue.put(stretch(1), judged('yes'));
  queue.put(stretch(1), judged('no'));
  await until(() => queue.waiting === 0);
  assert.equal(service.batches.flat().at(-1)?.verdict, 'no');
  assert.equal(queue.waiting, 0);
});

test('clearing a verdict deletes it at the service', async () => {
  const { service, queue } = setUp();
  queue.put(stretch(1), judged('yes'));
  await until(() => queue.waiting === 0);
  queue.put(stretch(1), null);
  await until(() => service.batches.length === 2);
  assert.equal(service.batches.flat().at(-1)?.verdict, null);
  assert.equal(queue.get(stretch(1)), null);
});

test('what the service has is taken over, and what waits here is newer', async () => {
  const { service, queue } = setUp();
  service.online = false;
  queue.put(stretch(1), judged('no'));
  const stored = (number: number, verdict: string): SentVerdict => ({
    ...stretch(number),
    verdict,
    calls: null,
    mark_start_sample: 3,
    mark_stop_sample: 7,
  });
  queue.merge([stored(1, 'yes'), stored(2, 'other:grunt')]);
  assert.equal(queue.get(stretch(1))?.verdict, 'no');
  assert.deepEqual(queue.get(stretch(2)), { verdict: 'other:grunt', calls: null, mark: [3, 7] });
  queue.close();
});

test('a refusal is kept and not repeated by itself', async () => {
  const { service, queue } = setUp();
  service.refusal = new Error('InvalidRequest');
  queue.put(stretch(1), judged('yes'));
  await sleep(40);
  assert.equal((queue.error as Error).message, 'InvalidRequest');
  assert.equal(queue.waiting, 1);
  assert.equal(service.tries, 1);
});

test('a verdict that is refused stays alone: the others are sent, and later ones too', async () => {
  const { service, queue, make } = setUp();
  service.online = false;
  for (const number of [1, 2, 3]) queue.put(stretch(number), judged('yes'));
  await sleep(5);
  [service.online, service.bad] = [true, 2];
  await until(() => queue.waiting === 1);
  queue.put(stretch(4), judged('no'));
  await until(() => service.batches.flat().length === 3);
  assert.deepEqual(service.batches.flat().map(({ start_sample }) => start_sample), [1, 3, 4]);
  assert.deepEqual([queue.waiting, queue.refused], [1, 1]);
  assert.equal((queue.error as Error).message, 'InvalidRequest');
  assert.equal(make().waiting, 1);
  queue.put(stretch(2), null); // the next word on it is sent
  service.bad = null;
  await until(() => queue.waiting === 0);
  assert.deepEqual([queue.waiting, queue.refused, queue.error], [0, 0, null]);
});

test('a refused verdict can be given up, and the others stay', async () => {
  const { service, queue, make } = setUp();
  service.bad = 1;
  queue.put(stretch(1), judged('yes'));
  await until(() => queue.refused === 1);
  service.online = false;
  queue.put(stretch(2), judged('no'));
  await until(() => (queue.error as Error).message === 'offline');
  queue.discard();
  assert.deepEqual([queue.waiting, queue.refused, queue.get(stretch(1))], [1, 0, null]);
  queue.close();
  assert.equal(make().get(stretch(2))?.verdict, 'no');
});

test('whoever has no access is told so by one request', async () => {
  const { service, queue } = setUp();
  service.online = false;
  for (let number = 0; number < 50; number += 1) queue.put(stretch(number), judged('yes'));
  await until(() => queue.error !== null);
  const before = service.tries;
  [service.online, service.refusal] = [true, new Error('NotAllowed')];
  await until(() => (queue.error as Error | null)?.message === 'NotAllowed');
  await sleep(30);
  assert.equal(service.tries - before, 1);
  assert.deepEqual([queue.waiting, queue.refused], [50, 0]);
  service.refusal = null;
  await queue.sendAgain();
  assert.equal(queue.waiting, 0);
});

test('a browser that keeps nothing is told apart from one that does', () => {
  const memory = new Memory();
  memory.full = true;
  const { queue, service } = setUp(memory);
  service.online = false;
  queue.put(stretch(1), judged('yes'));
  assert.equal(queue.kept, false);
  assert.equal(setUp(null).queue.kept, false);
  assert.equal(setUp().queue.kept, true);
  queue.close();
});

test('many verdicts are sent in several requests', async () => {
  const { service, queue } = setUp();
  service.online = false;
  for (let number = 0; number < 1201; number += 1) queue.put(stretch(number), judged('yes'));
  await sleep(5);
  service.online = true;
  for (let tries = 0; queue.waiting && tries < 200; tries += 1) await sleep(20);
  assert.deepEqual(service.batches.map(({ length }) => length), [500, 500, 201]);
});

test('keys mean what docs/review.md says', () => {
  assert.deepEqual(actionOf('Y'), { kind: 'judge', verdict: 'yes', calls: null });
  assert.deepEqual(actionOf('3'), { kind: 'judge', verdict: 'yes', calls: 3 });
  assert.deepEqual(actionOf('n'), { kind: 'judge', verdict: 'no', calls: null });
  const kinds = ['u', 'o', 'Backspace', ' ', 'z', '[', ']', 'ArrowLeft', 'ArrowRight', 'q', '0'].map((key) => actionOf(key)?.kind);
  assert.deepEqual(kinds, ['judge', 'other', 'clear', 'play', 'zoom', 'mark-start', 'mark-stop', 'previous', 'next', undefined, undefined]);
});

test('names are safe in a table', () => {
  assert.equal(cleanName(' =cmd|Ana;\nB '), 'cmd|Ana B');
  assert.equal(cleanName('===').length, 0);
  assert.equal(cleanName('ü'.repeat(100)).length, 60);
});

test('a name is the same however its letters are typed', () => {
  assert.equal(cleanName('Zoe\u0308'), 'Zo\u00EB');
});

test('an edge of a mark takes the other edge from the frame, and never lies beyond it', () => {
  assert.deepEqual(withEdge('start', 1.2, [1, 2]), [1.2, 2]);
  assert.deepEqual(withEdge('stop', 1.7, [1, 2]), [1, 1.7]);
  assert.deepEqual(withEdge('stop', 2.5, [1, 2]), [1, 2.5]);
  assert.equal(withEdge('stop', 0.9, [1, 2]), null);
  assert.equal(withEdge('start', 2, [1, 2]), null);
});

test('a mark ends with the last sample of the sound', () => {
  assert.deepEqual(markOf(1, 2, { begins: 0, ends: 10 }, 16000), [16000, 32000]);
  assert.deepEqual(markOf(9, 12, { begins: 0.5, ends: 159999.7 / 16000 }, 16000), [144000, 159999]);
  assert.deepEqual(markOf(0, 1, { begins: 0.5, ends: 160000 / 16000 }, 16000), [8000, 16000]);
  assert.equal(markOf(11, 12, { begins: 0, ends: 10 }, 16000), null);
});

test('no removes a mark; a mark makes yes of no and of nothing', () => {
  assert.deepEqual(judgedAs({ verdict: 'yes', calls: 2, mark: [1, 2] }, 'no', null), { verdict: 'no', calls: null, mark: null });
  assert.deepEqual(judgedAs({ verdict: 'yes', calls: 2, mark: [1, 2] }, 'other:grunt', null).mark, [1, 2]);
  assert.deepEqual(markedAs(null, [1, 2]), { verdict: 'yes', calls: null, mark: [1, 2] });
  assert.equal(markedAs({ verdict: 'no', calls: null, mark: null }, [1, 2]).verdict, 'yes');
  assert.equal(markedAs({ verdict: 'other:grunt', calls: null, mark: null }, [1, 2]).verdict, 'other:grunt');
});

test('the next clip without a verdict is searched round to the current one', () => {
  assert.equal(nextOpen([true, false, true, false], 1), 3);
  assert.equal(nextOpen([false, true, true], 0), 0);
  assert.equal(nextOpen([true, true], 0), null);
  assert.equal(nextOpen([true, false], -1), 1);
});
