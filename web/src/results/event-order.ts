/** Which events of a table are shown, and in which order. */
import type { EventTable } from './event-table.ts';

export type SortColumn =
  | 'recording'
  | 'time'
  | 'duration'
  | 'class'
  | 'score'
  | 'probability'
  | 'calls'
  | 'level'
  | 'snr'
  | 'peak';

export interface Sort {
  column: SortColumn;
  descending: boolean;
}

export interface EventFilter {
  /** Only this recording; null for all. */
  recording: number | null;
  /** Only these classes; null for all. */
  classes: ReadonlySet<string> | null;
  /** Only events whose highest score is at least this. */
  minScore: number;
  /** Only recordings whose names contain this text, without regard to case. */
  text: string;
}

export const NO_FILTER: EventFilter = { recording: null, classes: null, minScore: 0, text: '' };

/** Return the positions of the events that pass a filter, in the order of the table. */
export function filterEvents(table: EventTable, filter: EventFilter, names: readonly string[]): Uint32Array {
  const text = filter.text.trim().toLowerCase();
  const named = text ? names.map((name) => name.toLowerCase().includes(text)) : null;
  const shown = table.classes.map((name) => filter.classes === null || filter.classes.has(name));
  const kept = new Uint32Array(table.length);
  let count = 0;
  for (let index = 0; index < table.length; index += 1) {
    const recording = table.recording[index];
    if (filter.recording !== null && recording !== filter.recording) continue;
    if (!shown[table.label[index]] || table.maxScore[index] < filter.minScore) continue;
    if (named && !named[recording]) continue;
    kept[count++] = index;
  }
  return kept.slice(0, count);
}

/**
 * Sort positions of events. Equal values keep the order of time. Values that are not known come last, whichever way the
 * column is sorted.
 */
export function sortEvents(table: EventTable, positions: Uint32Array, { column, descending }: Sort, names: readonly string[]): Uint32Array {
  const keys = sortKeys(table, column, names);
  const time = column === 'time' ? keys : sortKeys(table, 'time', names);
  const sign = descending ? -1 : 1;
  return positions.slice().sort((one, other) => {
    const [a, b] = [keys[one], keys[other]];
    if (a !== b) {
      if (Number.isNaN(a) && Number.isNaN(b)) return compareTimes(table, time, one, other);
      if (Number.isNaN(a)) return 1;
      if (Number.isNaN(b)) return -1;
      return sign * (a - b);
    }
    return column === 'time' ? sign * compareTimes(table, time, one, other) : compareTimes(table, time, one, other);
  });
}

function compareTimes(table: EventTable, time: Float64Array, one: number, other: number): number {
  const [a, b] = [time[one], time[other]];
  if (a !== b && !Number.isNaN(a) && !Number.isNaN(b)) return a - b;
  return table.recording[one] - table.recording[other] || table.start[one] - table.start[other] || one - other;
}

/** Return a number for each event, by which a column is sorted. */
function sortKeys(table: EventTable, column: SortColumn, names: readonly string[]): Float64Array {
  switch (column) {
    case 'recording': {
      const rank = ranks(names);
      return Float64Array.from(table.recording, (recording) => rank[recording] ?? NaN);
    }
    case 'time':
      return table.utc.some((value) => Number.isNaN(value)) ? timesWithoutClock(table) : table.utc;
    case 'duration':
      return table.stop.map((stop, index) => stop - table.start[index]);
    case 'class': {
      const rank = ranks(table.classes);
      return Float64Array.from(table.label, (label) => rank[label]);
    }
    case 'score':
      return table.maxScore;
    default:
      return table[column];
  }
}

/** Without a clock the order is that of the recordings in the execution, then of the time in each. */
function timesWithoutClock(table: EventTable): Float64Array {
  let longest = 1;
  for (const stop of table.stop) longest = Math.max(longest, stop);
  return table.start.map((start, index) => table.recording[index] * (longest + 1) + start);
}

function ranks(names: readonly string[]): number[] {
  const order = names.map((_, index) => index).sort((one, other) => collator.compare(names[one], names[other]));
  const rank = Array<number>(names.length);
  order.forEach((index, place) => {
    const before = order[place - 1];
    rank[index] = place && names[before] === names[index] ? rank[before] : place;
  });
  return rank;
}

const collator = new Intl.Collator('en', { numeric: true });
