import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tableOfEvents } from '../src/results/event-table.ts';
import { figuresOf } from '../src/results/job-results.ts';
import type { JobResults, Recording } from '../src/results/job-results.ts';

function event(calls: number | null) {
  const measured = { level_db: null, snr_db: null, peak_hz: null, start_utc: null };
  const stretch = { start_time: 0, end_time: 1, start_sample: 0, end_sample: 48000 };
  return { class: 'anemonefish', mean_confidence: 0.8, max_confidence: 0.9, calls, ...stretch, ...measured };
}

function recording(number: number, status: Recording['status'], analysedHours: number | null): Recording {
  return { recording: number, name: `${number}.wav`, status, events: 0, error: null, notes: [], startUtc: null, seconds: 3600, analysedHours };
}

const table = tableOfEvents([
  [0, event(2)],
  [0, event(3)],
  [1, event(4)],
  [2, event(null)],
]);
const results = {
  recordings: [recording(0, 'done', 0.5), recording(1, 'partial', 2), recording(2, 'done', 1), recording(3, 'failed', null)],
  effort: { analysedHours: 3.5, low90: 0.5, high90: 2.5 },
  table,
} as unknown as JobResults;

test('figures of one recording count its own events and calls', () => {
  const { events, calls, eventsPerHour, analysedHours, analysed, partial, failed, interval } = figuresOf(results, table, 0, true);
  assert.deepEqual([events, calls, analysedHours, eventsPerHour], [2, 5, 0.5, 4]);
  assert.deepEqual([analysed, partial, failed], [1, 0, 0]);
  assert.equal(interval, null);
  assert.equal(figuresOf(results, table, 1, true).calls, 4);
});

test('figures of a recording without events are zeros, and without effort it has no rate', () => {
  const { events, calls, eventsPerHour } = figuresOf(results, table, 3, true);
  assert.deepEqual([events, calls, eventsPerHour], [0, 0, null]);
});

test('calls are unknown where one event in view was not counted', () => {
  assert.equal(figuresOf(results, table, 2, true).calls, null);
  assert.equal(figuresOf(results, table, null, true).calls, null);
});

test('figures of all recordings count every event, with the interval of the execution\'s own settings only', () => {
  const all = figuresOf(results, table, null, true);
  assert.deepEqual([all.events, all.eventsPerHour, all.interval], [4, 4 / 3.5, [0.5, 2.5]]);
  assert.equal(figuresOf(results, table, null, false).interval, null);
});
