/** Draws a time line on a canvas. It reads the model only where it is visible. */
import { ticksOf } from './clock.ts';
import type { Zone } from './clock.ts';
import { countByBin, visibleRange, visibleSpans } from './time-line-model.ts';
import type { ClassEvents, Lane, TimeLineModel, View } from './time-line-model.ts';

/** Colours of the page as the canvas needs them. */
export interface Theme {
  text: string;
  muted: string;
  line: string;
  surface: string;
  /** Time that was listened to. */
  listened: string;
  /** Time without a recording. */
  gap: string;
  /** Sound that was not analysed. */
  unread: string;
  selected: string;
  classes: readonly string[];
  font: string;
}

export interface Geometry {
  width: number;
  /** Left edge of the axis: names of lanes stand before it. */
  left: number;
  axisHeight: number;
  laneHeight: number;
  laneGap: number;
  /** First lane that is drawn, and how many. */
  firstLane: number;
  lanes: number;
}

export interface Scene {
  model: TimeLineModel;
  view: View;
  zone: Zone | null;
  theme: Theme;
  geometry: Geometry;
  /** Names of lanes; empty strings are not drawn. */
  laneNames: readonly string[];
  /** Start and end of the selected event, in ms, and its lane and class. */
  selected: { lane: number; label: number; start: number; stop: number } | null;
}

export const heightOf = ({ axisHeight, laneHeight, laneGap, lanes }: Geometry) => axisHeight + lanes * (laneHeight + laneGap) + 1;

/** What was drawn, for the caption. */
export interface Drawn {
  /** Most events of one bar, if events are drawn as bars of their number. */
  mostInABar: number | null;
  /** Time that a bar stands for, in ms. */
  barWidth: number;
}

/** Width of a bar, in pixels, where events are closer than pixels. */
const BAR = 2;

export function drawTimeLine(context: CanvasRenderingContext2D, scene: Scene): Drawn {
  const { geometry, view, model, theme } = scene;
  const { width, left, axisHeight, laneHeight, laneGap, firstLane, lanes } = geometry;
  const height = heightOf(geometry);
  const x = (at: number) => left + ((at - view.from) / (view.to - view.from)) * (width - left);
  context.clearRect(0, 0, width, height);
  drawAxis(context, scene, height);
  const bins = Math.max(1, Math.floor((width - left) / BAR));
  const shown = model.lanes.slice(firstLane, firstLane + lanes);
  // Bars of all lanes have one scale, so that they can be compared.
  const counts = shown.map((lane) => lane.classes.map((events) => (isDense(events, view, bins) ? countByBin(events, view, bins) : null)));
  let most = 0;
  for (const lane of counts) for (const bars of lane) if (bars) for (const count of bars) if (count > most) most = count;
  context.save();
  context.beginPath();
  context.rect(left, 0, width - left, height);
  context.clip();
  shown.forEach((lane, row) => {
    const top = axisHeight + row * (laneHeight + laneGap);
    drawSpans(context, lane, view, x, top, laneHeight, theme, left, width);
    const bands = bandsOf(lane, top, laneHeight);
    lane.classes.forEach((events, label) => {
      if (!events.starts.length) return;
      context.fillStyle = theme.classes[label % theme.classes.length];
      const [bandTop, bandHeight] = bands[label];
      const bars = counts[row][label];
      if (bars) drawBars(context, bars, most, left, bandTop, bandHeight);
      else drawEvents(context, events, view, x, bandTop, bandHeight);
    });
    if (scene.selected && scene.selected.lane === firstLane + row) {
      const [bandTop, bandHeight] = bands[scene.selected.label];
      drawSelected(context, x(scene.selected.start), x(scene.selected.stop), bandTop, bandHeight, theme);
    }
  });
  context.restore();
  drawNames(context, scene);
  return { mostInABar: most || null, barWidth: (view.to - view.from) / bins };
}

function isDense(events: ClassEvents, view: View, bins: number): boolean {
  const [first, stop] = visibleRange(events, view);
  return stop - first > bins / 2;
}

/** Each class with events has a band of its own in the lane, so classes can be told apart without their colours. */
export function bandsOf(lane: Lane, top: number, height: number): [top: number, height: number][] {
  const used = lane.classes.filter(({ starts }) => starts.length > 0).length || 1;
  let band = 0;
  return lane.classes.map(({ starts }) => {
    const place: [number, number] = [top + (band * height) / used, height / used];
    if (starts.length > 0) band += 1;
    return place;
  });
}

function drawAxis(context: CanvasRenderingContext2D, { view, zone, theme, geometry }: Scene, height: number): void {
  const { width, left, axisHeight } = geometry;
  context.font = theme.font;
  context.textBaseline = 'alphabetic';
  context.lineWidth = 1;
  for (const { at, label, major } of ticksOf(view.from, view.to, (width - left) / 84, zone)) {
    const x = Math.round(left + ((at - view.from) / (view.to - view.from)) * (width - left)) + 0.5;
    context.strokeStyle = theme.line;
    context.beginPath();
    context.moveTo(x, major ? 4 : axisHeight - 6);
    context.lineTo(x, height);
    context.stroke();
    context.fillStyle = major ? theme.text : theme.muted;
    const space = context.measureText(label).width;
    const start = Math.min(Math.max(x - space / 2, left), width - space - 2);
    context.clearRect(start - 3, 2, space + 6, axisHeight - 9);
    context.fillText(label, start, axisHeight - 11);
  }
}

function drawSpans(
  context: CanvasRenderingContext2D,
  lane: Lane,
  view: View,
  x: (at: number) => number,
  top: number,
  height: number,
  theme: Theme,
  left: number,
  width: number,
): void {
  hatch(context, left, top, width - left, height, theme.gap, 9, 1);
  const spans = visibleSpans(lane.spans, view);
  context.fillStyle = theme.surface;
  const pieces = spans.map((span) => [Math.max(left, x(span.start)), Math.min(width, x(span.stop)), span] as const);
  for (const [start, stop] of pieces) context.fillRect(start, top, Math.max(1, stop - start), height);
  for (const [start, stop, span] of pieces) {
    if (!span.analysed) {
      hatch(context, start, top, Math.max(2, stop - start), height, theme.unread, 5, -1);
      continue;
    }
    context.fillStyle = theme.listened;
    context.fillRect(start, top, Math.max(1, stop - start), height);
    for (const [from, to] of span.unread) {
      const begin = Math.max(left, x(from));
      const end = Math.min(width, x(to));
      if (end <= begin) continue;
      context.fillStyle = theme.surface;
      context.fillRect(begin, top, Math.max(2, end - begin), height);
      hatch(context, begin, top, Math.max(2, end - begin), height, theme.unread, 5, -1);
    }
  }
}

/** Hatch a rectangle with lines that lean to the right (1) or to the left (-1). */
function hatch(
  context: CanvasRenderingContext2D,
  left: number,
  top: number,
  width: number,
  height: number,
  colour: string,
  distance: number,
  lean: 1 | -1,
): void {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  const first = Math.floor((left - height) / distance) * distance; // fixed to the canvas, so neighbours match
  for (let at = first; at < left + width + height; at += distance) {
    context.moveTo(at, lean > 0 ? top + height : top);
    context.lineTo(at + height, lean > 0 ? top : top + height);
  }
  context.stroke();
  context.restore();
}

function drawBars(context: CanvasRenderingContext2D, counts: Uint32Array, most: number, left: number, top: number, height: number): void {
  context.beginPath();
  for (let bin = 0; bin < counts.length; bin += 1) {
    if (!counts[bin]) continue;
    const bar = Math.max(2, (counts[bin] / most) * (height - 2));
    context.rect(left + bin * BAR, top + height - bar, BAR, bar);
  }
  context.fill();
}

function drawEvents(
  context: CanvasRenderingContext2D,
  events: ClassEvents,
  view: View,
  x: (at: number) => number,
  top: number,
  height: number,
): void {
  const [first, stop] = visibleRange(events, view);
  context.beginPath();
  for (let index = first; index < stop; index += 1) {
    if (events.stops[index] < view.from) continue;
    const start = x(events.starts[index]);
    context.rect(start, top + 3, Math.max(2, x(events.stops[index]) - start), height - 6);
  }
  context.fill();
}

function drawSelected(context: CanvasRenderingContext2D, start: number, stop: number, top: number, height: number, theme: Theme): void {
  context.strokeStyle = theme.selected;
  context.lineWidth = 2;
  context.strokeRect(start - 2.5, top + 0.5, Math.max(2, stop - start) + 5, height - 1);
  const middle = (start + Math.max(stop, start + 2)) / 2;
  context.fillStyle = theme.selected;
  context.beginPath();
  context.moveTo(middle, top);
  context.lineTo(middle - 5, top - 7);
  context.lineTo(middle + 5, top - 7);
  context.fill();
}

function drawNames(context: CanvasRenderingContext2D, { geometry, laneNames, theme }: Scene): void {
  const { left, axisHeight, laneHeight, laneGap, firstLane, lanes } = geometry;
  if (left < 20) return;
  context.font = theme.font;
  context.fillStyle = theme.muted;
  context.textBaseline = 'middle';
  for (let row = 0; row < lanes; row += 1) {
    const name = laneNames[firstLane + row];
    if (name) context.fillText(shortened(context, name, left - 10), 0, axisHeight + row * (laneHeight + laneGap) + laneHeight / 2);
  }
}

/** Return a text that fits, with an ellipsis in its middle: names of recordings differ at both ends. */
function shortened(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  const characters = [...text];
  for (let kept = characters.length - 1; kept > 2; kept -= 1) {
    const head = characters.slice(0, Math.ceil(kept / 2)).join('');
    const tail = characters.slice(characters.length - Math.floor(kept / 2)).join('');
    const candidate = `${head}…${tail}`;
    if (context.measureText(candidate).width <= width) return candidate;
  }
  return '…';
}
