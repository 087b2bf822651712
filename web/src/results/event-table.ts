/**
 * The events of one or many recordings as columns of numbers. 50,000 events need a few megabytes, and sorting, filtering
 * and drawing read typed arrays.
 */
import { cellReader, unescapeCell } from './csv.ts';
import type { CsvTable } from './csv.ts';

/** One event, as the API's JSON and the event table name its fields. */
export interface EventFields {
  start_time: number;
  end_time: number;
  class: string;
  mean_confidence: number;
  max_confidence: number;
  calls: number | null;
  level_db: number | null;
  snr_db: number | null;
  peak_hz: number | null;
  start_sample: number;
  end_sample: number;
  start_utc: string | null;
  probability?: number | null;
}

export interface EventTable {
  readonly length: number;
  /** Names of the classes; {@link EventTable.label} holds positions in this list. */
  readonly classes: readonly string[];
  /** Number of the recording in the execution. */
  readonly recording: Int32Array;
  /** Seconds from the beginning of the recording. */
  readonly start: Float64Array;
  readonly stop: Float64Array;
  /** Samples at the rate of the analysis. */
  readonly startSample: Float64Array;
  readonly stopSample: Float64Array;
  readonly label: Uint16Array;
  readonly meanScore: Float64Array;
  readonly maxScore: Float64Array;
  /** NaN where it was not measured, as in the next four columns. */
  readonly calls: Float64Array;
  readonly level: Float64Array;
  readonly snr: Float64Array;
  readonly peak: Float64Array;
  readonly probability: Float64Array;
  /** Milliseconds since 1970 in UTC; NaN where the start of the recording is not known. */
  readonly utc: Float64Array;
}

const NUMBERS = [
  'start',
  'stop',
  'startSample',
  'stopSample',
  'meanScore',
  'maxScore',
  'calls',
  'level',
  'snr',
  'peak',
  'probability',
  'utc',
] as const;

const numberOrNaN = (value: number | null | undefined) => value ?? NaN;

/**
 * Make a table of the events of each recording, in the order of the pairs.
 *
 * @param known classes that come first, also without an event, so that their colours stay when events are decided again
 */
export function tableOfEvents(events: Iterable<[recording: number, event: EventFields]>, known: readonly string[] = []): EventTable {
  const recordings: number[] = [];
  const labels: number[] = [];
  const classes = new Map(known.map((name, index) => [name, index]));
  const columns = Object.fromEntries(NUMBERS.map((name) => [name, [] as number[]])) as Record<(typeof NUMBERS)[number], number[]>;
  for (const [recording, event] of events) {
    recordings.push(recording);
    let label = classes.get(event.class);
    if (label === undefined) classes.set(event.class, (label = classes.size));
    labels.push(label);
    columns.start.push(event.start_time);
    columns.stop.push(event.end_time);
    columns.startSample.push(event.start_sample);
    columns.stopSample.push(event.end_sample);
    columns.meanScore.push(event.mean_confidence);
    columns.maxScore.push(event.max_confidence);
    columns.calls.push(numberOrNaN(event.calls));
    columns.level.push(numberOrNaN(event.level_db));
    columns.snr.push(numberOrNaN(event.snr_db));
    columns.peak.push(numberOrNaN(event.peak_hz));
    columns.probability.push(numberOrNaN(event.probability));
    columns.utc.push(event.start_utc ? Date.parse(event.start_utc) : NaN);
  }
  const numbers = Object.fromEntries(NUMBERS.map((name) => [name, Float64Array.from(columns[name])])) as Record<
    (typeof NUMBERS)[number],
    Float64Array
  >;
  return {
    length: recordings.length,
    classes: [...classes.keys()],
    recording: Int32Array.from(recordings),
    label: Uint16Array.from(labels),
    ...numbers,
  };
}

/** A recording of the execution, as far as the event table needs it. */
export interface CountedRecording {
  recording: number;
  name: string;
  /** Number of its events; null if it failed. */
  events: number | null;
}

/** Read the events of an event table, in the order of its rows. */
export function fieldsFromCsv({ columns, rows }: CsvTable): EventFields[] {
  const cell = cellReader(columns);
  const optional = (text: string) => (text === '' ? null : Number(text));
  return rows.map((row) => ({
    start_time: Number(cell(row, 'start_time')),
    end_time: Number(cell(row, 'end_time')),
    class: unescapeCell(cell(row, 'class')),
    mean_confidence: Number(cell(row, 'mean_confidence')),
    max_confidence: Number(cell(row, 'max_confidence')),
    calls: optional(cell(row, 'calls')),
    level_db: optional(cell(row, 'level_db')),
    snr_db: optional(cell(row, 'snr_db')),
    peak_hz: optional(cell(row, 'peak_hz')),
    start_sample: Number(cell(row, 'start_sample')),
    end_sample: Number(cell(row, 'end_sample')),
    start_utc: cell(row, 'start_utc') || null,
    probability: optional(cell(row, 'probability')),
  }));
}

/**
 * Read an event table (`combined.events.csv`, or that of one recording). Its rows lie in the order of the recordings, so
 * they are divided by the numbers of events: recordings may have equal names. If a name does not fit, names decide.
 */
export function eventsFromCsv(csv: CsvTable, recordings: readonly CountedRecording[], known: readonly string[] = []): EventTable {
  const cell = cellReader(csv.columns);
  const names = csv.rows.map((row) => unescapeCell(cell(row, 'recording')));
  const numbers = recordingsOfRows(names, recordings);
  return tableOfEvents(
    fieldsFromCsv(csv).map((event, index) => [numbers[index], event]),
    known,
  );
}

function recordingsOfRows(names: string[], recordings: readonly CountedRecording[]): number[] {
  const byCount = recordings.flatMap(({ recording, events }) => Array<number>(events ?? 0).fill(recording));
  const nameOf = new Map(recordings.map(({ recording, name }) => [recording, name]));
  if (byCount.length === names.length && names.every((name, row) => nameOf.get(byCount[row]) === name)) return byCount;
  const byName = new Map([...recordings].reverse().map(({ recording, name }) => [name, recording]));
  return names.map((name) => byName.get(name) ?? -1);
}

/** An event of a table as an object, for showing one. */
export interface EventView {
  index: number;
  recording: number;
  start: number;
  stop: number;
  startSample: number;
  stopSample: number;
  label: string;
  meanScore: number;
  maxScore: number;
  calls: number | null;
  level: number | null;
  snr: number | null;
  peak: number | null;
  probability: number | null;
  utc: number | null;
}

/** Return one event of a table. */
export function eventAt(table: EventTable, index: number): EventView {
  const known = (value: number) => (Number.isNaN(value) ? null : value);
  return {
    index,
    recording: table.recording[index],
    start: table.start[index],
    stop: table.stop[index],
    startSample: table.startSample[index],
    stopSample: table.stopSample[index],
    label: table.classes[table.label[index]],
    meanScore: table.meanScore[index],
    maxScore: table.maxScore[index],
    calls: known(table.calls[index]),
    level: known(table.level[index]),
    snr: known(table.snr[index]),
    peak: known(table.peak[index]),
    probability: known(table.probability[index]),
    utc: known(table.utc[index]),
  };
}
