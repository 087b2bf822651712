/**
 * A deployment of 30 days with 50,000 events in bouts, as ten-minute recordings every half hour. The wheel zooms in and
 * out in every frame; the frames per second and the time of drawing are reported to run.mjs.
 */
import { render } from 'preact';
import { useState } from 'preact/hooks';
import { UTC } from '../src/results/clock.ts';
import { tableOfEvents } from '../src/results/event-table.ts';
import type { EventFields, EventTable } from '../src/results/event-table.ts';
import { filterEvents, NO_FILTER, sortEvents } from '../src/results/event-order.ts';
import { lanesByClock, timeLineModel } from '../src/results/time-line-model.ts';
import type { Span, TimeLineModel } from '../src/results/time-line-model.ts';
import { TimeLine } from '../src/results/time-line.tsx';
import '../src/style.css';
import '../src/results/results.css';

const DAYS = 30;
const EVENTS = Number(new URLSearchParams(location.search).get('events') ?? 50_000);
const SECONDS = 10;
const START = Date.UTC(2023, 1, 1);
const HALF_HOUR = 1800_000;

/** Numbers that look random and are the same in every run (xorshift32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function makeDeployment(): { spans: Span[]; table: EventTable } {
  const random = randomNumbers(7);
  const spans = Array.from({ length: DAYS * 48 }, (_, recording): Span => {
    const start = START + recording * HALF_HOUR;
    return { recording, start, stop: start + 600_000, analysed: recording % 97 !== 0, unread: recording % 41 ? [] : [[start, start + 60_000]] };
  });
  const events: [number, EventFields][] = [];
  while (events.length < EVENTS) {
    const recording = Math.floor(random() * spans.length);
    let at = 540 * random();
    for (let left = 1 + Math.floor(12 * random()); left && at < 590 && events.length < EVENTS; left -= 1) {
      const length = 0.4 + 3 * random() ** 2;
      events.push([recording, eventOf(spans[recording].start, at, length, random)]);
      at += length + 4 * random();
    }
  }
  events.sort(([one], [other]) => one - other);
  return { spans, table: tableOfEvents(events, ['anemonefish', 'biological']) };
}

function eventOf(begins: number, at: number, length: number, random: () => number): EventFields {
  return {
    start_time: at,
    end_time: at + length,
    class: random() < 0.8 ? 'anemonefish' : 'biological',
    mean_confidence: random(),
    max_confidence: random(),
    calls: 1,
    level_db: -50,
    snr_db: 10,
    peak_hz: 500,
    start_sample: Math.round(at * 48_000),
    end_sample: Math.round((at + length) * 48_000),
    start_utc: new Date(begins + 1000 * at).toISOString(),
  };
}

function Bench({ model, table }: { model: TimeLineModel; table: EventTable }) {
  const [selected, setSelected] = useState<number | null>(null);
  return (
    <section class="panel results">
      <TimeLine
        model={model}
        table={table}
        zone={UTC}
        names={[]}
        selected={selected}
        timeOf={(position) => table.utc[position]}
        onOpen={setSelected}
        onStep={() => {}}
        colours={['var(--class-0)', 'var(--class-1)']}
      />
    </section>
  );
}

/** Zoom in and out by the wheel for some seconds, one event in each frame. */
async function zoomForSeconds(canvas: HTMLCanvasElement, seconds: number): Promise<number[]> {
  const intervals: number[] = [];
  const begin = performance.now();
  let last = begin;
  for (;;) {
    const now = await new Promise<number>(requestAnimationFrame);
    const box = canvas.getBoundingClientRect();
    const elapsed = (now - begin) / 1000;
    const clientX = box.left + box.width * (0.5 + 0.35 * Math.sin(elapsed));
    canvas.dispatchEvent(
      new WheelEvent('wheel', { deltaY: elapsed % 4 < 2 ? -40 : 40, clientX, clientY: box.top + 60, bubbles: true, cancelable: true }),
    );
    if (now > last) intervals.push(now - last);
    last = now;
    if (elapsed > seconds) return intervals;
  }
}

const percentile = (values: number[], share: number) => [...values].sort((one, other) => one - other)[Math.floor(share * (values.length - 1))];
const rounded = (value: number) => Math.round(value * 100) / 100;

async function main(): Promise<void> {
  const { spans, table } = makeDeployment();
  const times: Record<string, number> = {};
  const timed = <T,>(name: string, work: () => T): T => {
    const before = performance.now();
    const result = work();
    times[name] = rounded(performance.now() - before);
    return result;
  };
  const names = spans.map(({ recording }) => `${recording}.wav`);
  const all = timed('filter_ms', () => filterEvents(table, NO_FILTER, names));
  timed('sort_ms', () => sortEvents(table, all, { column: 'score', descending: true }, names));
  const model = timed('model_ms', () => timeLineModel(lanesByClock(spans), table, all, (position) => table.utc[position]));
  const drawn: number[] = [];
  new PerformanceObserver((list) => drawn.push(...list.getEntriesByName('draw time line').map(({ duration }) => duration))).observe({
    entryTypes: ['measure'],
  });
  render(<Bench model={model} table={table} />, document.querySelector('#app') as HTMLElement);
  await new Promise((resolve) => setTimeout(resolve, 500));
  drawn.length = 0;
  const canvas = document.querySelector('canvas') as HTMLCanvasElement;
  const intervals = await zoomForSeconds(canvas, SECONDS);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const total = intervals.reduce((sum, each) => sum + each, 0);
  const report = {
    events: table.length,
    days: DAYS,
    canvas: [canvas.width, canvas.height],
    frames: intervals.length,
    frames_per_second: rounded((1000 * intervals.length) / total),
    frame_ms_median: rounded(percentile(intervals, 0.5)),
    frame_ms_95: rounded(percentile(intervals, 0.95)),
    draws: drawn.length,
    draw_ms_median: rounded(percentile(drawn, 0.5)),
    draw_ms_95: rounded(percentile(drawn, 0.95)),
    share_of_frame_95: rounded(percentile(drawn, 0.95) / (1000 / 60)),
    ...times,
  };
  document.title = JSON.stringify(report);
  await fetch('/report', { method: 'POST', body: JSON.stringify(report) });
}

void main();
