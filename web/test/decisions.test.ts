import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Decider, settingsKey, shownAfter } from '../src/results/decisions.ts';
import type { DecidedRecording, DecisionSettings, DecisionState, Shown } from '../src/results/decisions.ts';
import { tableOfEvents } from '../src/results/event-table.ts';

const settings = (threshold: number): DecisionSettings => ({
  threshold,
  median_windows: 5,
  min_duration_seconds: 0.2,
  min_gap_seconds: 0.1,
});

interface Request {
  threshold: number;
  recording: number;
  signal: AbortSignal;
  answer: () => void;
  fail: (error: Error) => void;
}

function service(width = 2, more: { mostKept?: number } = {}) {
  const requests: Request[] = [];
  const states: DecisionState[] = [];
  const decider = new Decider({
    delay: 5,
    width,
    ...more,
    onState: (state) => states.push(state),
    decide: ({ threshold }, recording, signal) =>
      new Promise<DecidedRecording>((resolve, reject) => {
        const answer = () => resolve({ decision: `d-${threshold}`, events: [] });
        requests.push({ threshold: threshold as number, recording, signal, answer, fail: reject });
      }),
  });
  const settle = () => sleep(20);
  return { requests, states, decider, settle };
}

const decisionOf = (state: DecisionState | undefined) => (state?.kind === 'decided' ? state.decided.decision : state?.kind);

test('a slider that moves on asks only for its last place', async () => {
  const { requests, decider, settle } = service();
  for (const threshold of [0.5, 0.6, 0.7]) decider.request(settings(threshold), [0]);
  await settle();
  assert.deepEqual(requests.map(({ threshold }) => threshold), [0.7]);
});

test('recordings are decided in their order, a few at a time', async () => {
  const { requests, states, decider, settle } = service(2);
  decider.request(settings(0.7), [4, 1, 2]);
  await settle();
  assert.deepEqual(requests.map(({ recording }) => recording), [4, 1]);
  requests[1].answer();
  await settle();
  assert.deepEqual(requests.map(({ recording }) => recording), [4, 1, 2]);
  assert.notEqual(states.at(-1)?.kind, 'decided');
  requests[0].answer();
  requests[2].answer();
  await settle();
  const last = states.at(-1);
  assert.equal(last?.kind, 'decided');
  assert.deepEqual([...(last as { decided: { events: Map<number, unknown> } }).decided.events.keys()], [4, 1, 2]);
});

test('a late answer of older settings is not shown, and is kept', async () => {
  const { requests, states, decider, settle } = service();
  decider.request(settings(0.6), [0]);
  await settle();
  decider.request(settings(0.8), [0]);
  await settle();
  requests[1].answer();
  await settle();
  assert.equal(decisionOf(states.at(-1)), 'd-0.8');
  requests[0].answer();
  await settle();
  assert.equal(states.filter((state) => decisionOf(state) === 'd-0.6').length, 0);
  decider.request(settings(0.6), [0]);
  assert.equal(decisionOf(states.at(-1)), 'd-0.6');
  assert.equal(requests.length, 2);
});

test('newer settings wait for requests that run, so that there are never more at once', async () => {
  const { requests, states, decider, settle } = service(2);
  decider.request(settings(0.6), [0, 1, 2]);
  await settle();
  decider.request(settings(0.8), [0, 1]);
  await settle();
  assert.deepEqual(requests.map(({ threshold, recording }) => [threshold, recording]), [[0.6, 0], [0.6, 1]]);
  requests[0].answer();
  requests[1].answer();
  await settle();
  assert.deepEqual(requests.slice(2).map(({ threshold, recording }) => [threshold, recording]), [[0.8, 0], [0.8, 1]]);
  requests[2].answer();
  requests[3].answer();
  await settle();
  assert.equal(decisionOf(states.at(-1)), 'd-0.8');
});

test('settings that come back while they are asked for are not asked for twice', async () => {
  const { requests, states, decider, settle } = service(4);
  decider.request(settings(0.6), [0, 1]);
  await settle();
  decider.request(settings(0.8), [0]);
  decider.request(settings(0.6), [0, 1]);
  await settle();
  assert.equal(requests.length, 2);
  requests[0].answer();
  requests[1].answer();
  await settle();
  assert.equal(decisionOf(states.at(-1)), 'd-0.6');
});

test('a decision that was made before needs no request', async () => {
  const { requests, states, decider, settle } = service();
  decider.request(settings(0.6), [0]);
  await settle();
  requests[0].answer();
  await settle();
  decider.reset();
  assert.equal(states.at(-1)?.kind, 'own');
  decider.request(settings(0.6), [0]);
  assert.equal(decisionOf(states.at(-1)), 'd-0.6');
  decider.request(settings(0.6), [0, 1]);
  await settle();
  assert.deepEqual(requests.map(({ recording }) => recording), [0, 1]);
});

test('the oldest decisions are forgotten when they hold too many events, and the one in view is not', async () => {
  const { requests, states, decider, settle } = service(8, { mostKept: 4 }); // a recording without events counts as one
  const decide = async (threshold: number, recordings: number[]) => {
    const before = requests.length;
    decider.request(settings(threshold), recordings);
    await settle();
    const asked = requests.slice(before);
    for (const { answer } of asked) answer();
    await settle();
    assert.equal(decisionOf(states.at(-1)), `d-${threshold}`);
    return asked.length;
  };
  assert.deepEqual([await decide(0.5, [0, 1]), await decide(0.6, [0, 1])], [2, 2]);
  assert.equal(await decide(0.5, [0, 1]), 0); // both are known, and this is the newer one now
  assert.equal(await decide(0.7, [0]), 1);
  assert.equal(await decide(0.5, [0, 1]), 0);
  assert.equal(await decide(0.6, [0, 1]), 2);
  assert.equal(await decide(0.8, [0, 1, 2, 3, 4, 5]), 6);
  assert.equal(await decide(0.8, [0, 1, 2, 3, 4, 5]), 0);
});

test('after an error no more is asked for, and the error is said', async () => {
  const { requests, states, decider, settle } = service(2);
  decider.request(settings(0.6), [0, 1, 2]);
  await settle();
  requests[0].fail(new Error('no scores'));
  await settle();
  requests[1].answer();
  await settle();
  assert.equal(requests.length, 2);
  const last = states.at(-1);
  assert.equal(last?.kind === 'failed' && (last.error as Error).message, 'no scores');
});

test('a screen that closes stops its requests', async () => {
  const { requests, states, decider, settle } = service();
  decider.request(settings(0.6), [0, 1, 2]);
  await settle();
  decider.close();
  assert.equal(requests[0].signal.aborted, true);
  const before = states.length;
  requests[0].fail(new Error('aborted'));
  requests[1].answer();
  await settle();
  assert.deepEqual([requests.length, states.length], [2, before]);
});

test('nothing is asked for after a reset', async () => {
  const { requests, states, decider, settle } = service();
  decider.request(settings(0.6), [0]);
  decider.reset();
  await settle();
  assert.deepEqual(requests, []);
  assert.equal(states.at(-1)?.kind, 'own');
});

test('settings are equal whatever the order of their classes', () => {
  const one = { ...settings(0), threshold: { a: 0.5, b: 0.6 } };
  assert.equal(settingsKey(one), settingsKey({ ...one, threshold: { b: 0.6, a: 0.5 } }));
  assert.notEqual(settingsKey(one), settingsKey({ ...one, threshold: { a: 0.6, b: 0.5 } }));
});

/** Follow the states as the screen does, and return what it shows after each. */
function screen(states: DecisionState[]) {
  const own = tableOfEvents([]);
  let [shown, read]: [Shown, number] = [{ table: own, decided: null }, 0];
  return () => {
    for (; read < states.length; read += 1) shown = shownAfter(shown, states[read], own, () => tableOfEvents([]));
    return { decision: shown.decided?.decision ?? null, isOwnTable: shown.table === own };
  };
}

test('what is shown, and with it the files, is of one decision until a newer one is complete', async () => {
  const { requests, states, decider, settle } = service();
  const shown = screen(states);
  decider.request(settings(0.6), [0]);
  assert.deepEqual(shown(), { decision: null, isOwnTable: true });
  await settle();
  requests[0].answer();
  await settle();
  assert.deepEqual(shown(), { decision: 'd-0.6', isOwnTable: false });
  decider.request(settings(0.8), [0]);
  await settle();
  assert.deepEqual(shown(), { decision: 'd-0.6', isOwnTable: false });
  requests[1].answer();
  await settle();
  assert.equal(shown().decision, 'd-0.8');
  decider.request(settings(0.9), [0]);
  await settle();
  requests[2].fail(new Error('no scores'));
  await settle();
  assert.deepEqual(shown(), { decision: null, isOwnTable: true });
});

test('other recordings show the events of the execution until they are decided, and at once if they were', async () => {
  const { requests, states, decider, settle } = service();
  const shown = screen(states);
  decider.request(settings(0.6), [0]);
  await settle();
  requests[0].answer();
  await settle();
  decider.reset(); // the choice of other recordings does this before it asks
  decider.request(settings(0.6), [0, 1]);
  await settle();
  assert.deepEqual(shown(), { decision: null, isOwnTable: true });
  requests[1].answer();
  await settle();
  assert.equal(shown().decision, 'd-0.6');
  decider.reset();
  decider.request(settings(0.6), [1]);
  assert.equal(shown().decision, 'd-0.6');
});
