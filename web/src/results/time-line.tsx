/** The time line: recordings, gaps, and events on a canvas, with zoom and pan by wheel, fingers, buttons and keys. */
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { texts } from '../texts.ts';
import { formatSeconds, formatTimeInZone, UTC } from './clock.ts';
import type { Zone } from './clock.ts';
import type { EventTable } from './event-table.ts';
import { useMedia } from './events-table.tsx';
import { drawTimeLine, heightOf } from './time-line-drawing.ts';
import type { Drawn, Geometry, Theme } from './time-line-drawing.ts';
import { bandsOf } from './time-line-drawing.ts';
import { centred, nearestEvent, panned, within, zoomed } from './time-line-model.ts';
import type { Lane, TimeLineModel, View } from './time-line-model.ts';

const words = texts.results.timeLine;

interface Props {
  model: TimeLineModel;
  table: EventTable;
  /** null: times count from the beginning of each recording. */
  zone: Zone | null;
  names: readonly string[];
  /** Position in the table of the open event. */
  selected: number | null;
  timeOf: (position: number) => number;
  onOpen: (position: number) => void;
  onStep: (step: -1 | 1) => void;
  colours: readonly string[];
}

const LANE = 26;
const SINGLE_LANE = 104;
const MOST_LANES = 12;
/** Distance in pixels within which a click finds an event. */
const REACH = 8;

export function TimeLine({ model, table, zone, names, selected, timeOf, onOpen, onStep, colours }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [firstLane, setFirstLane] = useState(0);
  const [shown, setShown] = useState<{ view: View; drawn: Drawn } | null>(null);
  const dark = useMedia('(prefers-color-scheme: dark)');
  const limits = useMemo(() => limitsOf(model), [model]);
  const view = useRef<View>(limits);
  const request = useRef(0);

  const lanes = Math.min(MOST_LANES, model.lanes.length);
  const named = model.lanes.length > 1 && model.lanes.every(({ recording }) => recording !== null);
  const geometry: Geometry = {
    width,
    left: named ? Math.min(170, Math.round(width * 0.28)) : 0,
    axisHeight: 28,
    laneHeight: model.lanes.length === 1 ? SINGLE_LANE : LANE,
    laneGap: 6,
    firstLane: Math.min(firstLane, model.lanes.length - lanes),
    lanes,
  };
  const selectedPlace = useMemo(() => placeOf(model, table, selected, timeOf), [model, table, selected, timeOf]);

  const latest = useRef({ geometry, model, zone, selectedPlace, colours });
  latest.current = { geometry, model, zone, selectedPlace, colours };
  const theme = useRef<Theme | null>(null);

  /** Draw in the next frame, once, however many changes there are until then. */
  const redraw = () => {
    if (request.current) return;
    request.current = requestAnimationFrame(() => {
      request.current = 0;
      const element = canvas.current;
      const now = latest.current;
      if (!element || now.geometry.width === 0) return;
      theme.current ??= themeOf(element, now.colours);
      const context = element.getContext('2d') as CanvasRenderingContext2D;
      const ratio = devicePixelRatio || 1;
      const [pixelsWide, pixelsHigh] = [now.geometry.width, heightOf(now.geometry)].map((size) => Math.round(size * ratio));
      if (element.width !== pixelsWide || element.height !== pixelsHigh) {
        element.width = pixelsWide;
        element.height = pixelsHigh;
        element.style.height = `${heightOf(now.geometry)}px`;
      }
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      performance.mark('time line');
      const drawn = drawTimeLine(context, {
        model: now.model,
        view: view.current,
        zone: now.zone,
        theme: theme.current,
        geometry: now.geometry,
        laneNames: now.model.lanes.map(({ recording }) => (recording === null ? '' : (names[recording] ?? ''))),
        selected: now.selectedPlace,
      });
      performance.measure('draw time line', 'time line'); // bench/ reads it
      performance.clearMeasures('draw time line');
      performance.clearMarks('time line');
      reportSoon(drawn);
    });
  };
  // The caption follows when the view rests: an update of the document in every frame would cost more than the drawing.
  const reportTimer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const reportSoon = (drawn: Drawn) => {
    clearTimeout(reportTimer.current);
    reportTimer.current = setTimeout(() => setShown({ view: view.current, drawn }), 120);
  };
  const setView = (next: View) => {
    view.current = next;
    redraw();
  };

  useLayoutEffect(() => {
    const element = canvas.current as HTMLCanvasElement;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(element.parentElement as HTMLElement);
    return () => {
      observer.disconnect();
      cancelAnimationFrame(request.current);
      request.current = 0;
      clearTimeout(reportTimer.current);
    };
  }, []);
  useEffect(() => {
    theme.current = null;
    redraw();
  }, [dark]);
  // Deciding again changes the events and keeps the view; another axis or other recordings show everything.
  const extent = `${limits.from}/${limits.to}/${zone === null}`;
  useLayoutEffect(() => {
    view.current = limits;
    setFirstLane(0);
    redraw();
  }, [extent]);
  useLayoutEffect(redraw, [model, width, zone, geometry.firstLane, selectedPlace]);
  useLayoutEffect(() => {
    if (!selectedPlace) return;
    const { start, stop, lane } = selectedPlace;
    if (start < view.current.from || stop > view.current.to) {
      setView(centred((start + stop) / 2, Math.min(view.current.to - view.current.from, limits.to - limits.from), limits));
    }
    if (lane < geometry.firstLane || lane >= geometry.firstLane + lanes) setFirstLane(Math.max(0, Math.min(lane, model.lanes.length - lanes)));
  }, [selectedPlace]);
  usePointers(canvas, latest, view, limits, setView, (x, y) => {
    const found = eventAtPoint(latest.current.model, latest.current.geometry, view.current, x, y);
    if (found !== null) onOpen(found);
  });

  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const middle = (view.current.from + view.current.to) / 2;
    const anchor = selectedPlace && selectedPlace.start >= view.current.from && selectedPlace.start <= view.current.to ? selectedPlace.start : middle;
    const actions: Record<string, () => void> = {
      '+': () => setView(zoomed(view.current, 1.5, anchor, limits)),
      '=': () => setView(zoomed(view.current, 1.5, anchor, limits)),
      '-': () => setView(zoomed(view.current, 1 / 1.5, anchor, limits)),
      ArrowLeft: () => setView(panned(view.current, -0.1, limits)),
      ArrowRight: () => setView(panned(view.current, 0.1, limits)),
      ArrowUp: () => setFirstLane(Math.max(0, geometry.firstLane - 1)),
      ArrowDown: () => setFirstLane(Math.max(0, Math.min(model.lanes.length - lanes, geometry.firstLane + 1))),
      Home: () => setView(limits),
      n: () => onStep(1),
      p: () => onStep(-1),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  };
  const format = (at: number) => (zone ? formatTimeInZone(at, zone, 0) : formatSeconds(Math.max(0, at) / 1000, 0));
  const zoomBy = (factor: number) => setView(zoomed(view.current, factor, (view.current.from + view.current.to) / 2, limits));
  const now = shown?.view ?? limits;
  return (
    <div class="time-line">
      <div class="time-line-tools">
        <div class="button-row" role="group" aria-label={words.heading}>
          <button type="button" aria-label={words.zoomOut} title={words.zoomOut} onClick={() => zoomBy(1 / 2)}>
            −
          </button>
          <button type="button" aria-label={words.zoomIn} title={words.zoomIn} onClick={() => zoomBy(2)}>
            +
          </button>
          <button type="button" aria-label={words.earlier} title={words.earlier} onClick={() => setView(panned(view.current, -0.5, limits))}>
            ←
          </button>
          <button type="button" aria-label={words.later} title={words.later} onClick={() => setView(panned(view.current, 0.5, limits))}>
            →
          </button>
          <button type="button" onClick={() => setView(limits)}>
            {words.whole}
          </button>
        </div>
        {model.lanes.length > lanes && (
          <div class="button-row">
            <button
              type="button"
              aria-label={words.moreAbove}
              disabled={geometry.firstLane === 0}
              onClick={() => setFirstLane(Math.max(0, geometry.firstLane - lanes))}
            >
              ↑
            </button>
            <button
              type="button"
              aria-label={words.moreBelow}
              disabled={geometry.firstLane + lanes >= model.lanes.length}
              onClick={() => setFirstLane(Math.min(model.lanes.length - lanes, geometry.firstLane + lanes))}
            >
              ↓
            </button>
            <span class="small">{words.lanes(geometry.firstLane + 1, geometry.firstLane + lanes, model.lanes.length)}</span>
          </div>
        )}
        <Legend table={table} model={model} colours={colours} />
      </div>
      <div class="time-line-canvas">
        <canvas
          ref={canvas}
          tabIndex={0}
          role="application"
          aria-label={words.label(countEvents(model), format(now.from), format(now.to))}
          onKeyDown={onKey}
        />
      </div>
      <p class="small muted time-line-caption">
        <span>{`${format(now.from)} – ${format(now.to)}${zone ? ` ${zone.name}` : ''}`}</span>
        {shown && shown.drawn.mostInABar !== null ? (
          <span>{words.bars(shown.drawn.mostInABar, lengthText(shown.drawn.barWidth))}</span>
        ) : (
          <span>{words.single}</span>
        )}
      </p>
    </div>
  );
}

function Legend({ table, model, colours }: { table: EventTable; model: TimeLineModel; colours: readonly string[] }) {
  const spans = model.lanes.flatMap((lane) => lane.spans);
  const unread = spans.some((span) => !span.analysed || span.unread.length > 0);
  return (
    <ul class="legend small" aria-label={words.legend}>
      {table.classes.map((name, label) => (
        <li key={name}>
          <i class="swatch" style={{ background: colours[label % colours.length] }} />
          {name}
        </li>
      ))}
      <li>
        <i class="swatch listened" />
        {words.listened}
      </li>
      <li>
        <i class="swatch gap" />
        {words.gap}
      </li>
      {unread && (
        <li>
          <i class="swatch unread" />
          {words.unread}
        </li>
      )}
    </ul>
  );
}

/** Everything, with a little space at both ends. */
function limitsOf({ from, to }: TimeLineModel): View {
  if (!(to > from)) return { from: 0, to: 1000 };
  const space = 0.01 * (to - from);
  return { from: from - space, to: to + space };
}

const countEvents = (model: TimeLineModel) =>
  model.lanes.reduce((sum, lane) => sum + lane.classes.reduce((count, { starts }) => count + starts.length, 0), 0);

function placeOf(model: TimeLineModel, table: EventTable, selected: number | null, timeOf: (position: number) => number) {
  if (selected === null || selected >= table.length) return null;
  const recording = table.recording[selected];
  const lane = model.lanes.findIndex(({ spans }) => spans.some((span) => span.recording === recording));
  const start = timeOf(selected);
  if (lane < 0 || Number.isNaN(start)) return null;
  return { lane, label: table.label[selected], start, stop: start + 1000 * (table.stop[selected] - table.start[selected]) };
}

function eventAtPoint(model: TimeLineModel, geometry: Geometry, view: View, x: number, y: number): number | null {
  const { axisHeight, laneHeight, laneGap, firstLane, lanes, left, width } = geometry;
  const row = Math.floor((y - axisHeight) / (laneHeight + laneGap));
  if (row < 0 || row >= lanes || x < left) return null;
  const lane = model.lanes[firstLane + row];
  const scale = (view.to - view.from) / (width - left);
  return nearestEvent(lane, labelAt(lane, y, axisHeight + row * (laneHeight + laneGap), laneHeight), view.from + (x - left) * scale, REACH * scale);
}

/** Return the class whose band has this height on the canvas. */
function labelAt(lane: Lane, y: number, top: number, height: number): number | null {
  const bands = bandsOf(lane, top, height);
  const found = lane.classes.findIndex(({ starts }, label) => starts.length > 0 && y >= bands[label][0] && y < bands[label][0] + bands[label][1]);
  return found < 0 ? null : found;
}

function lengthText(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 2 * 3_600_000) return `${(ms / 60_000).toFixed(0)} min`;
  return `${(ms / 3_600_000).toFixed(1)} h`;
}

/** Read the colours of the page, which differ between light and dark. */
function themeOf(element: HTMLElement, colours: readonly string[]): Theme {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const resolved = colours.map((each) => (each.startsWith('var(') ? colour(each.slice(4, -1)) : each));
  return {
    text: colour('--text'),
    muted: colour('--muted'),
    line: colour('--line'),
    surface: colour('--surface'),
    listened: colour('--listened'),
    gap: colour('--gap'),
    unread: colour('--unread'),
    selected: colour('--text'),
    classes: resolved,
    font: `12px ${style.fontFamily}`,
  };
}

/** Wheel, mouse and fingers. Wheel zooms at the pointer; with shift, or sideways, it moves. */
function usePointers(
  canvas: { current: HTMLCanvasElement | null },
  latest: { current: { geometry: Geometry } },
  view: { current: View },
  limits: View,
  setView: (view: View) => void,
  onClick: (x: number, y: number) => void,
): void {
  const current = useRef({ limits, setView, onClick });
  current.current = { limits, setView, onClick };
  useEffect(() => {
    const element = canvas.current as HTMLCanvasElement;
    const pointers = new Map<number, { x: number; y: number }>();
    let travelled = 0;
    const point = (event: MouseEvent) => {
      const box = element.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    const axis = () => latest.current.geometry.width - latest.current.geometry.left;
    const timeAt = (x: number) =>
      view.current.from + ((x - latest.current.geometry.left) / axis()) * (view.current.to - view.current.from);
    const wheel = (event: WheelEvent) => {
      const { limits: all, setView: set } = current.current;
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        set(panned(view.current, ((event.deltaX || event.deltaY) * unit) / axis(), all));
        return;
      }
      // At the whole view, the wheel scrolls the page on.
      const whole = view.current.to - view.current.from >= all.to - all.from - 1e-6;
      if (event.deltaY > 0 && whole) return;
      event.preventDefault();
      set(zoomed(view.current, Math.exp(-event.deltaY * unit * 0.0022), timeAt(point(event).x), all));
    };
    const down = (event: PointerEvent) => {
      if (event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, point(event));
      if (pointers.size === 1) travelled = 0;
    };
    const move = (event: PointerEvent) => {
      const before = pointers.get(event.pointerId);
      if (!before) return;
      const now = point(event);
      const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      pointers.set(event.pointerId, now);
      travelled += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
      if (travelled < 4) return;
      const { limits: all, setView: set } = current.current;
      if (others.length === 0) {
        set(panned(view.current, (before.x - now.x) / axis(), all));
        return;
      }
      const [other] = others; // two fingers: the distance zooms, the middle moves
      const factor = Math.max(1, Math.abs(now.x - other.x)) / Math.max(1, Math.abs(before.x - other.x));
      const next = zoomed(view.current, factor, timeAt((before.x + other.x) / 2), all);
      set(within(panned(next, (before.x - now.x) / 2 / axis(), all), all));
    };
    const up = (event: PointerEvent) => {
      if (!pointers.delete(event.pointerId)) return;
      if (event.type === 'pointerup' && travelled < 4 && pointers.size === 0) {
        const { x, y } = point(event);
        current.current.onClick(x, y);
      }
    };
    element.addEventListener('wheel', wheel, { passive: false });
    element.addEventListener('pointerdown', down);
    element.addEventListener('pointermove', move);
    element.addEventListener('pointerup', up);
    element.addEventListener('pointercancel', up);
    return () => {
      element.removeEventListener('wheel', wheel);
      element.removeEventListener('pointerdown', down);
      element.removeEventListener('pointermove', move);
      element.removeEventListener('pointerup', up);
      element.removeEventListener('pointercancel', up);
    };
  }, []);
}

/** The time zones that a time line offers. */
export type AxisChoice = 'utc' | 'local' | 'offset';

export const zoneOfChoice = (choice: AxisChoice, local: Zone | null): Zone | null =>
  choice === 'offset' ? null : choice === 'local' && local ? local : UTC;
