import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSeconds, formatTimeInZone, ticksOf, UTC, zoneOf } from '../src/results/clock.ts';
import type { Zone } from '../src/results/clock.ts';
import { tableOfEvents } from '../src/results/event-table.ts';
import { countByBin, lanesByClock, nearestEvent, panned, timeLineModel, visibleRange, visibleSpans, within, zoomed } from '../src/results/time-line-model.ts';
import type { Span } from '../src/results/time-line-model.ts';

const span = (recording: number, start: number, stop: number): Span => ({ recording, start, stop, analysed: true, unread: [] });

function modelOf(starts: number[], seconds = 1) {
  const table = tableOfEvents(
    starts.map((start) => [
      0,
      {
        start_time: start,
        end_time: start + seconds,
        class: 'a',
        mean_confidence: 1,
        max_confidence: 1,
        calls: null,
        level_db: null,
        snr_db: null,
        peak_hz: null,
        start_sample: 0,
        end_sample: 1,
        start_utc: null,
      },
    ]),
  );
  const positions = Uint32Array.from(starts.keys());
  return timeLineModel([[span(0, 0, 100_000)]], table, positions, (position) => 1000 * table.start[position]);
}

test('recordings that overlap lie in lanes of their own, and others share one', () => {
  const lanes = lanesByClock([span(0, 0, 10), span(2, 20, 30), span(1, 5, 15), span(3, 40, 50)]);
  assert.deepEqual(lanes.map((lane) => lane.map(({ recording }) => recording)), [[0, 2, 3], [1]]);
});

test('files that end a little after the next one begins share a lane, and files of two recorders do not', () => {
  const files = Array.from({ length: 12 }, (_, index) => span(index, 300_000 * index, 300_000 * index + 300_020));
  assert.deepEqual(lanesByClock(files).map((lane) => lane.length), [12]);
  assert.equal(lanesByClock([span(0, 0, 300_000), span(1, 298_500, 600_000)]).length, 2);
  assert.equal(lanesByClock([span(0, 0, 900), span(1, 100, 1000)]).length, 2); // short, and at the same time
});

test('bars count every event of the view once, in the bin in which it begins', () => {
  const starts = Array.from({ length: 5000 }, (_, index) => (index * 7919) % 100);
  const { lanes } = modelOf(starts);
  const view = { from: 20_000, to: 60_000 };
  const counts = countByBin(lanes[0].classes[0], view, 40);
  const expected = Array.from({ length: 40 }, (_, bin) => starts.filter((start) => start >= 20 + bin && start < 21 + bin).length);
  assert.deepEqual([...counts], expected);
});

test('a long event that began before the view is visible', () => {
  const { lanes } = modelOf([0, 1, 50, 70], 30);
  const [first, stop] = visibleRange(lanes[0].classes[0], { from: 25_000, to: 60_000 });
  assert.deepEqual([...lanes[0].classes[0].starts.subarray(first, stop)], [0, 1000, 50_000]);
});

test('only recordings of the view are drawn', () => {
  const spans = [span(0, 0, 10), span(1, 20, 30), span(2, 40, 50)];
  assert.deepEqual(visibleSpans(spans, { from: 25, to: 39 }).map(({ recording }) => recording), [1]);
  assert.deepEqual(visibleSpans(spans, { from: 11, to: 19 }), []);
});

test('a click finds the nearest event within reach', () => {
  const { lanes } = modelOf([10, 12, 40]);
  assert.equal(nearestEvent(lanes[0], null, 11_900, 500), 1);
  assert.equal(nearestEvent(lanes[0], null, 11_100, 500), 0);
  assert.equal(nearestEvent(lanes[0], null, 25_000, 500), null);
});

test('zooming keeps the moment under the pointer, and stays within the limits', () => {
  const limits = { from: 0, to: 1000 };
  const view = zoomed(limits, 4, 250, limits);
  assert.deepEqual(view, { from: 187.5, to: 437.5 });
  assert.equal((250 - view.from) / (view.to - view.from), 0.25);
  assert.deepEqual(zoomed(view, 1e-6, 250, limits), limits);
  assert.ok(zoomed(limits, 1e9, 250, limits).to - zoomed(limits, 1e9, 250, limits).from >= 49);
});

test('moving ends at the limits', () => {
  const limits = { from: 0, to: 1000 };
  assert.deepEqual(panned({ from: 800, to: 1000 }, 5, limits), { from: 800, to: 1000 });
  assert.deepEqual(panned({ from: 800, to: 1000 }, -0.5, limits), { from: 700, to: 900 });
  assert.deepEqual(within({ from: -500, to: 5000 }, limits), limits);
});

test('ticks are round times of the zone, and days are marked', () => {
  const brisbane = zoneOf('UTC+10:00') as Zone;
  const from = Date.UTC(2023, 1, 9, 12);
  const ticks = ticksOf(from, from + 6 * 3_600_000, 6, brisbane);
  assert.deepEqual(ticks.map(({ label }) => label), ['22:00', '23:00', '10 Feb', '01:00', '02:00', '03:00', '04:00']);
  assert.deepEqual(ticks.map(({ major }) => major), [false, false, true, false, false, false, false]);
});

test('ticks of a day with a clock change stand at full hours of the clock', () => {
  const berlin = zoneOf('Europe/Berlin') as Zone;
  const from = Date.UTC(2023, 2, 25, 23); // midnight before the clocks go forward
  const ticks = ticksOf(from, from + 5 * 3_600_000, 5, berlin);
  assert.deepEqual(ticks.map(({ label }) => label), ['26 Mar', '01:00', '03:00', '04:00', '05:00', '06:00']);
});

test('an axis without a clock counts from 0', () => {
  assert.deepEqual(ticksOf(0, 300_000, 5, null).map(({ label }) => label), ['0:00', '1:00', '2:00', '3:00', '4:00', '5:00']);
  assert.deepEqual(ticksOf(0, 100, 2, null).map(({ label }) => label), ['0:00.00', '0:00.05', '0:00.10']);
});

test('times are rounded before they are divided into minutes', () => {
  assert.equal(formatSeconds(59.96), '1:00.0');
  assert.equal(formatSeconds(3_661.25, 2), '1:01:01.25');
  assert.equal(formatTimeInZone(Date.UTC(2023, 1, 9, 23, 59, 59, 960), UTC), '2023-02-10 00:00:00.0');
});

test('a time zone that is not known here is refused, not guessed', () => {
  assert.equal(zoneOf('Atlantis/Reef'), null);
  assert.equal((zoneOf('Australia/Brisbane') as Zone).offsetAt(Date.UTC(2023, 5, 1)), 10 * 3_600_000);
});
