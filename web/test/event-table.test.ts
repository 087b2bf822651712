import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCsv } from '../src/results/csv.ts';
import { readEffort } from '../src/results/effort.ts';
import { filterEvents, NO_FILTER, sortEvents } from '../src/results/event-order.ts';
import { eventAt, eventsFromCsv, tableOfEvents } from '../src/results/event-table.ts';
import type { EventFields } from '../src/results/event-table.ts';

const HEADER =
  'start_time,end_time,duration,class,mean_confidence,max_confidence,num_windows,calls,level_db,snr_db,peak_hz,level_db_re_1upa,start_sample,end_sample,sample_rate,recording,model,start_utc';

const row = (start: number, name: string, calls = '2', utc = '') =>
  `${start}.000000,${start + 1}.500000,1.500000,anemonefish,0.9,0.95,7,${calls},-47.0,18.5,507.6,,${start * 48000},${(start + 1.5) * 48000},48000,${name},reef@1.1.0,${utc}`;

function event(start: number, more: Partial<EventFields> = {}): EventFields {
  return {
    start_time: start,
    end_time: start + 1,
    class: 'anemonefish',
    mean_confidence: 0.8,
    max_confidence: 0.9,
    calls: 1,
    level_db: -40,
    snr_db: 10,
    peak_hz: 500,
    start_sample: start * 48000,
    end_sample: (start + 1) * 48000,
    start_utc: null,
    ...more,
  };
}

test('recordings with the same name are told apart by the numbers of their events', () => {
  const text = [HEADER, row(1, 'a.wav'), row(2, 'a.wav'), row(1, 'a.wav'), ''].join('\n');
  const recordings = [
    { recording: 0, name: 'a.wav', events: 2 },
    { recording: 1, name: 'broken.wav', events: null },
    { recording: 2, name: 'a.wav', events: 1 },
  ];
  assert.deepEqual([...eventsFromCsv(parseCsv(text), recordings).recording], [0, 0, 2]);
});

test('names decide where the numbers of events do not fit', () => {
  const text = [HEADER, row(1, 'b.wav'), row(2, "'=a.wav"), ''].join('\n');
  const recordings = [
    { recording: 0, name: '=a.wav', events: 5 },
    { recording: 1, name: 'b.wav', events: 1 },
  ];
  assert.deepEqual([...eventsFromCsv(parseCsv(text), recordings).recording], [1, 0]);
});

test('an event of the table has its numbers, and null for what was not measured', () => {
  const text = [HEADER, row(3, 'a.wav', '', '2023-02-09T16:00:15.200000Z'), ''].join('\n');
  const table = eventsFromCsv(parseCsv(text), [{ recording: 0, name: 'a.wav', events: 1 }]);
  const { start, stop, startSample, label, calls, level, probability, utc } = eventAt(table, 0);
  assert.deepEqual([start, stop, startSample, label, calls, level, probability], [3, 4.5, 144000, 'anemonefish', null, -47, null]);
  assert.equal(utc, Date.UTC(2023, 1, 9, 16, 0, 15, 200));
});

test('the events of the API and of the table give the same columns', () => {
  const text = [HEADER, row(1, 'a.wav'), ''].join('\n');
  const fromCsv = eventsFromCsv(parseCsv(text), [{ recording: 0, name: 'a.wav', events: 1 }]);
  const fromJson = tableOfEvents([
    [0, event(1, { end_time: 2.5, end_sample: 120000, mean_confidence: 0.9, max_confidence: 0.95, calls: 2, level_db: -47, snr_db: 18.5, peak_hz: 507.6 })],
  ]);
  assert.deepEqual(fromCsv, fromJson);
});

const NAMES = ['site 10.wav', 'site 9.wav'];
const TABLE = tableOfEvents([
  [0, event(5, { max_confidence: 0.6, snr_db: null })],
  [0, event(9, { max_confidence: 0.99, class: 'biological' })],
  [1, event(2, { max_confidence: 0.6, snr_db: 3 })],
  [1, event(7, { max_confidence: 0.7, snr_db: 20 })],
]);
const ALL = filterEvents(TABLE, NO_FILTER, NAMES);

test('events are filtered by recording, class, score and name', () => {
  const kept = (change: object) => [...filterEvents(TABLE, { ...NO_FILTER, ...change }, NAMES)];
  assert.deepEqual(kept({}), [0, 1, 2, 3]);
  assert.deepEqual(kept({ recording: 1 }), [2, 3]);
  assert.deepEqual(kept({ classes: new Set(['biological']) }), [1]);
  assert.deepEqual(kept({ minScore: 0.7 }), [1, 3]);
  assert.deepEqual(kept({ text: 'SITE 9' }), [2, 3]);
});

test('events are sorted by a column; equal ones keep the order of time', () => {
  assert.deepEqual([...sortEvents(TABLE, ALL, { column: 'score', descending: true }, NAMES)], [1, 3, 0, 2]);
  assert.deepEqual([...sortEvents(TABLE, ALL, { column: 'score', descending: false }, NAMES)], [0, 2, 3, 1]);
});

test('values that are not known come last in both directions', () => {
  assert.deepEqual([...sortEvents(TABLE, ALL, { column: 'snr', descending: true }, NAMES)], [3, 1, 2, 0]);
  assert.deepEqual([...sortEvents(TABLE, ALL, { column: 'snr', descending: false }, NAMES)], [2, 1, 3, 0]);
});

test('names are sorted by their numbers', () => {
  assert.deepEqual([...sortEvents(TABLE, ALL, { column: 'recording', descending: false }, NAMES)], [2, 3, 0, 1]);
});

test('without start times the order of time is that of the recordings', () => {
  assert.deepEqual([...sortEvents(TABLE, ALL, { column: 'time', descending: false }, NAMES)], [0, 1, 2, 3]);
  assert.deepEqual([...sortEvents(TABLE, ALL, { column: 'time', descending: true }, NAMES)], [3, 2, 1, 0]);
});

test('effort names the hours, the interval, the zone and the time of each recording', () => {
  const effort = readEffort(
    parseCsv(
      'by,folder,recording,time_zone,start_utc,end_utc,recorded_hours,analysed_hours,events_per_hour,low_90,high_90\n' +
        'all,,,,2023-02-09T16:00:00.000000Z,2023-02-09T17:00:00.000000Z,0.5,0.4,12.5,8.0,17.0\n' +
        'day,,,UTC+10:00,2023-02-09T14:00:00.000000Z,2023-02-10T14:00:00.000000Z,0.5,0.4,12.5,8.0,17.0\n' +
        "recording,,'=a.wav,,2023-02-09T16:00:00.000000Z,2023-02-09T16:30:00.000000Z,0.5,0.4,12.5,8.0,17.0\n" +
        'recording,,broken.wav,,,,,,,,\n',
    ),
  );
  assert.deepEqual([effort.analysedHours, effort.low90, effort.high90, effort.timeZone], [0.4, 8, 17, 'UTC+10:00']);
  assert.deepEqual(effort.recordings, [
    { name: '=a.wav', startUtc: Date.UTC(2023, 1, 9, 16), endUtc: Date.UTC(2023, 1, 9, 16, 30), recordedHours: 0.5, analysedHours: 0.4 },
    { name: 'broken.wav', startUtc: null, endUtc: null, recordedHours: null, analysedHours: null },
  ]);
});
