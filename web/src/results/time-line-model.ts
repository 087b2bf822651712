/**
 * What a time line shows, sorted so that a frame reads only what is visible: recordings in lanes, and the events of each
 * lane and class by their starts. Counting the events of a pixel is a binary search, so a frame costs the same for ten
 * events and for a million.
 */
import type { EventTable } from './event-table.ts';

/** A recording on the axis, in ms. */
export interface Span {
  recording: number;
  start: number;
  stop: number;
  /** Whether it was analysed; a recording that failed was not listened to. */
  analysed: boolean;
  /** Parts that could not be read or hold one constant value. */
  unread: readonly (readonly [start: number, stop: number])[];
}

/** The events of one class in one lane, sorted by start. */
export interface ClassEvents {
  label: number;
  starts: Float64Array;
  stops: Float64Array;
  /** The highest end among the events up to each, so that long events before the view are found. */
  latestStops: Float64Array;
  /** Position of each event in the table. */
  positions: Uint32Array;
}

export interface Lane {
  /** Number of the recording whose lane this is, or null if the lane holds several. */
  recording: number | null;
  /** Sorted by start and by end, almost without overlaps. */
  spans: readonly Span[];
  classes: readonly ClassEvents[];
}

export interface TimeLineModel {
  lanes: readonly Lane[];
  /** Beginning and end of everything, in ms. */
  from: number;
  to: number;
}

/** Part of the axis that is visible, in ms. */
export interface View {
  from: number;
  to: number;
}

/** Longest overlap (ms) of recordings that follow each other: file names have whole seconds, and a file may end a little late. */
const MOST_OVERLAP = 1000;

/**
 * Put recordings in as few lanes as possible: one, unless several hydrophones recorded at once. Recordings of a lane may
 * overlap by a second, though by no more than a tenth of the later one.
 */
export function lanesByClock(spans: readonly Span[]): Span[][] {
  const lanes: Span[][] = [];
  for (const span of [...spans].sort((one, other) => one.start - other.start || one.recording - other.recording)) {
    const overlap = Math.min(MOST_OVERLAP, (span.stop - span.start) / 10);
    const free = lanes.find((lane) => lane[lane.length - 1].stop <= span.start + overlap);
    if (free) free.push(span);
    else lanes.push([span]);
  }
  return lanes;
}

/**
 * Make the model of a time line.
 *
 * @param lanes the recordings of each lane
 * @param positions the events to show
 * @param timeOf start of an event on the axis, in ms
 */
export function timeLineModel(
  lanes: readonly (readonly Span[])[],
  table: EventTable,
  positions: Uint32Array,
  timeOf: (position: number) => number,
): TimeLineModel {
  const laneOf = new Map<number, number>();
  lanes.forEach((spans, lane) => spans.forEach(({ recording }) => laneOf.set(recording, lane)));
  const groups = lanes.map(() => table.classes.map(() => [] as number[]));
  for (const position of positions) {
    const lane = laneOf.get(table.recording[position]);
    if (lane !== undefined) groups[lane][table.label[position]].push(position);
  }
  const spans = lanes.flat();
  return {
    lanes: lanes.map((laneSpans, lane) => ({
      recording: laneSpans.length === 1 ? laneSpans[0].recording : null,
      spans: laneSpans,
      classes: groups[lane].map((members, label) => classEvents(label, members, table, timeOf)),
    })),
    from: spans.reduce((least, { start }) => Math.min(least, start), Infinity),
    to: spans.reduce((most, { stop }) => Math.max(most, stop), -Infinity),
  };
}

function classEvents(label: number, members: number[], table: EventTable, timeOf: (position: number) => number): ClassEvents {
  const times = Float64Array.from(members, timeOf);
  const order = Uint32Array.from(members.keys());
  // Events come in the order of their recordings, which is mostly that of time.
  if (times.some((time, index) => index > 0 && time < times[index - 1])) order.sort((one, other) => times[one] - times[other]);
  const positions = order.map((index) => members[index]);
  const starts = Float64Array.from(order, (index) => times[index]);
  const stops = starts.map((start, index) => start + 1000 * (table.stop[positions[index]] - table.start[positions[index]]));
  const latestStops = stops.slice();
  for (let index = 1; index < latestStops.length; index += 1) {
    if (latestStops[index] < latestStops[index - 1]) latestStops[index] = latestStops[index - 1];
  }
  return { label, starts, stops, latestStops, positions };
}

/** Return the first index whose value is at least the given one. */
function lowerBound(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return the first and the last event plus one that may be visible. */
export function visibleRange({ starts, latestStops }: ClassEvents, view: View): [first: number, stop: number] {
  return [lowerBound(latestStops, view.from), lowerBound(starts, view.to)];
}

/** Return how many events begin in each of `bins` equal parts of the view. */
export function countByBin({ starts }: ClassEvents, view: View, bins: number): Uint32Array {
  const counts = new Uint32Array(bins);
  const width = (view.to - view.from) / bins;
  let index = lowerBound(starts, view.from);
  for (let bin = 0; bin < bins && index < starts.length; bin += 1) {
    const next = index + lowerBound(starts.subarray(index), view.from + (bin + 1) * width);
    counts[bin] = next - index;
    index = next;
  }
  return counts;
}

/** Return the visible spans of a lane; they are sorted by start and by end. */
export function visibleSpans(spans: readonly Span[], view: View): readonly Span[] {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (spans[middle].stop < view.from) low = middle + 1;
    else high = middle;
  }
  let stop = low;
  while (stop < spans.length && spans[stop].start <= view.to) stop += 1;
  return spans.slice(low, stop);
}

/** Return the position of the event nearest to a moment in a lane, within a distance in ms; null if there is none. */
export function nearestEvent(lane: Lane, label: number | null, at: number, within: number): number | null {
  let best: { distance: number; position: number } | null = null;
  for (const events of lane.classes) {
    if (label !== null && events.label !== label) continue;
    const [first, stop] = visibleRange(events, { from: at - within, to: at + within });
    for (let index = first; index < stop; index += 1) {
      const distance = Math.max(events.starts[index] - at, at - events.stops[index], 0);
      const shorter = best === null || distance < best.distance;
      if (distance <= within && shorter) best = { distance, position: events.positions[index] };
    }
  }
  return best && best.position;
}

// --- moving the view ----------------------------------------------------------------------------------------------

/** Shortest view, in ms. */
const SHORTEST_VIEW = 50;

/** Zoom by a factor (above 1: closer), keeping a moment at its place. */
export function zoomed(view: View, factor: number, at: number, limits: View): View {
  const whole = limits.to - limits.from;
  const length = Math.min(Math.max((view.to - view.from) / factor, Math.min(SHORTEST_VIEW, whole)), whole);
  const share = (at - view.from) / (view.to - view.from);
  return within({ from: at - share * length, to: at + (1 - share) * length }, limits);
}

/** Move the view by a part of its length. */
export function panned(view: View, share: number, limits: View): View {
  const by = share * (view.to - view.from);
  return within({ from: view.from + by, to: view.to + by }, limits);
}

/** Return a view of a length around a moment. */
export function centred(at: number, length: number, limits: View): View {
  return within({ from: at - length / 2, to: at + length / 2 }, limits);
}

/** Move a view into the limits; cut it if it is longer. */
export function within(view: View, limits: View): View {
  const length = Math.min(view.to - view.from, limits.to - limits.from);
  const from = Math.min(Math.max(view.from, limits.from), limits.to - length);
  return { from, to: from + length };
}
