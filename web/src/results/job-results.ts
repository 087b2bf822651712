/** Loads what the screen shows of an execution: outcomes, effort, events, and the settings that decided. */
import { AnemonefishError } from '../client.ts';
import type { Anemonefish, ErrorReason, Execution, Note, RecordingOutcome, Results } from '../client.ts';
import { UTC, zoneOf } from './clock.ts';
import type { Zone } from './clock.ts';
import { cellReader, parseCsv, unescapeCell } from './csv.ts';
import { readEffort } from './effort.ts';
import type { Effort } from './effort.ts';
import { eventsFromCsv, fieldsFromCsv, tableOfEvents } from './event-table.ts';
import type { EventFields, EventTable } from './event-table.ts';
import type { DecisionSettings } from './decisions.ts';
import type { Span } from './time-line-model.ts';

/** A recording of the execution. */
export interface Recording {
  recording: number;
  name: string;
  status: 'done' | 'partial' | 'failed';
  events: number | null;
  error: ErrorReason | null;
  notes: Note[];
  /** Milliseconds since 1970 in UTC at its first sample, or null where that is not known. */
  startUtc: number | null;
  /** Length in seconds, or null where it could not be opened. */
  seconds: number | null;
  analysedHours: number | null;
}

export interface JobFile {
  name: string;
  url: string;
}

export interface JobResults {
  recordings: Recording[];
  /** Names by the number of the recording. */
  names: string[];
  table: EventTable;
  effort: Effort | null;
  files: JobFile[];
  /** The time zone of the job if it is not UTC. */
  localZone: Zone | null;
  /** The settings that decided the events; null if the service no longer has the scores. */
  settings: DecisionSettings | null;
  targetClasses: string[];
  /** Line of the model's card: whether it is fit for science, and why. */
  modelCard: string | null;
  calibration: Calibration | null;
  /** Why nothing can be decided again; null if it can. */
  decisionProblem: unknown;
}

/** The calibration that gave events a probability. */
export interface Calibration {
  id: string;
  site: string | null;
  verdicts: number;
}

/** Return what the sliders change. */
const decisionOf = ({ threshold, median_windows, min_duration_seconds, min_gap_seconds }: DecisionSettings): DecisionSettings => ({
  threshold,
  median_windows,
  min_duration_seconds,
  min_gap_seconds,
});

type FileList = Awaited<ReturnType<Anemonefish['files']>>;

/** Requests at the same time, where each recording is asked for. */
const WIDTH = 4;

/** Load the results. The event table of the whole job is one file; without it, each recording is asked for. */
export async function loadJobResults(
  client: Anemonefish,
  execution: Execution,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void = () => {},
): Promise<JobResults> {
  const list = await client.files(execution.id, { signal });
  const [effort, summary, first] = await Promise.all([
    readFile(list, 'effort.csv', signal),
    readFile(list, 'summary.csv', signal),
    firstResults(client, execution.id, list.recordings, signal),
  ]);
  const readEfforts = effort === null ? null : readEffort(parseCsv(effort));
  const recordings = recordingsOf(list.recordings, readEfforts);
  const table = await loadEvents(client, execution.id, list, first.results, signal, onProgress);
  const metadata = first.results?.metadata;
  const zone = readEfforts?.timeZone ? zoneOf(readEfforts.timeZone) : null;
  return {
    recordings,
    names: recordings.map(({ name }) => name),
    table,
    effort: readEfforts,
    files: list.files,
    localZone: zone && zone.name !== UTC.name ? zone : null,
    settings: first.results ? decisionOf(first.results.settings) : null,
    targetClasses: first.results ? targetClassesOf(first.results) : [...table.classes],
    modelCard: metadata?.model_card ?? cardOf(summary),
    calibration: metadata?.calibration ?? null,
    decisionProblem: first.problem,
  };
}

async function readFile(list: FileList, name: string, signal: AbortSignal): Promise<string | null> {
  const file = list.files.find((each) => each.name === name);
  return file ? fetchText(file.url, signal) : null;
}

/** Fetch a link of the storage. Throws the client's error, so that a screen can explain it. */
export async function fetchLink(url: string, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new AnemonefishError('NetworkError', `no answer: ${(cause as Error).message}`, { cause });
  }
  if (response.ok) return response;
  const text = await response.text();
  const [code, message] = ['Code', 'Message'].map((tag) => new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(text)?.[1]);
  throw new AnemonefishError(code ?? 'StorageRefused', message ?? `the storage answered with status ${response.status}`, {
    status: response.status,
  });
}

async function fetchText(url: string, signal: AbortSignal): Promise<string> {
  return (await fetchLink(url, signal)).text();
}

/** Results of the first recording that has some: they name the settings, the card and the calibration of all. */
async function firstResults(
  client: Anemonefish,
  id: string,
  outcomes: RecordingOutcome[],
  signal: AbortSignal,
): Promise<{ results: Results | null; problem: unknown }> {
  const first = outcomes.find(({ status }) => status !== 'failed');
  if (!first) return { results: null, problem: null };
  try {
    return { results: await client.results(id, { recording: first.recording, predictions: false, signal }), problem: null };
  } catch (error) {
    if (signal.aborted || !(error instanceof AnemonefishError && error.error === 'ScoresDeleted')) throw error;
    return { results: null, problem: error };
  }
}

async function loadEvents(
  client: Anemonefish,
  id: string,
  list: FileList,
  first: Results | null,
  signal: AbortSignal,
  onProgress: (done: number, total: number) => void,
): Promise<EventTable> {
  const outcomes = list.recordings;
  const classes = first ? targetClassesOf(first) : [];
  const combined = await readFile(list, 'combined.events.csv', signal);
  if (combined !== null) return eventsFromCsv(parseCsv(combined), outcomes, classes);
  const withEvents = outcomes.filter(({ events }) => events);
  const found = new Map<number, EventFields[]>();
  if (first) found.set(first.recording, eventsOf(first));
  const queue = withEvents.filter(({ recording }) => !found.has(recording)).values();
  const work = async () => {
    for (const outcome of queue) {
      if (first) {
        const { recording } = outcome;
        found.set(recording, eventsOf(await client.results(id, { recording, predictions: false, signal })));
      } else {
        const text = await (await client.download(id, 'csv', { recording: outcome.recording, signal })).text();
        found.set(outcome.recording, fieldsFromCsv(parseCsv(text))); // the scores are gone, the files are not
      }
      onProgress(found.size, withEvents.length);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, work));
  return tableOfEvents(flattened(outcomes.map(({ recording }) => recording), found), classes);
}

const targetClassesOf = ({ metadata }: Results): string[] => [metadata.target_class].flat();
const eventsOf = ({ events }: Results) => events as unknown as EventFields[];

/** Return pairs of recording and event, in the order of the recordings. */
export function* flattened(recordings: Iterable<number>, events: Map<number, EventFields[]>): Generator<[number, EventFields]> {
  for (const recording of recordings) for (const event of events.get(recording) ?? []) yield [recording, event];
}

function recordingsOf(outcomes: RecordingOutcome[], effort: Effort | null): Recording[] {
  const rows = effort?.recordings ?? [];
  const aligned = rows.length === outcomes.length && rows.every(({ name }, index) => name === outcomes[index].name);
  return outcomes.map(({ recording, name, status, events, error, notes }, index) => {
    const row = aligned ? rows[index] : rows.find((each) => each.name === name);
    const span = row && row.startUtc !== null && row.endUtc !== null ? (row.endUtc - row.startUtc) / 1000 : null;
    const seconds = span ?? (row?.recordedHours == null ? null : row.recordedHours * 3600);
    const startUtc = row?.startUtc ?? null;
    return { recording, name, status, events, error, notes, startUtc, seconds, analysedHours: row?.analysedHours ?? null };
  });
}

function cardOf(summary: string | null): string | null {
  if (summary === null) return null;
  const { columns, rows } = parseCsv(summary);
  return rows.length ? unescapeCell(cellReader(columns)(rows[0], 'model_card')) || null : null;
}

/** Codes of notes on stretches that were not heard. */
const UNREAD = new Set(['damaged', 'silence', 'time-gap']);

/** Return where a recording lies on an axis, in ms; null where its length is not known. */
export function spanOf(recording: Recording, start: number): Span | null {
  if (recording.seconds === null) return null;
  const stop = start + 1000 * recording.seconds;
  const unread = recording.notes.flatMap(({ code, numbers }): [number, number][] => {
    const [first, last, rate] = [numbers.start_sample, numbers.stop_sample, numbers.sample_rate].map(Number);
    if (!UNREAD.has(code) || !(last > first) || !(rate > 0)) return [];
    return [[start + (1000 * first) / rate, start + (1000 * last) / rate]];
  });
  return { recording: recording.recording, start, stop, analysed: recording.status !== 'failed', unread };
}

export interface Figures {
  analysed: number;
  partial: number;
  failed: number;
  analysedHours: number | null;
  events: number;
  calls: number | null;
  eventsPerHour: number | null;
  /** Interval of 90 %; null where only the service could compute it. */
  interval: [low: number, high: number] | null;
}

/** Return the summary of what is shown: all recordings or one, with the execution's settings or decided again. */
export function figuresOf(results: JobResults, table: EventTable, recording: number | null, own: boolean): Figures {
  const recordings = results.recordings.filter((each) => recording === null || each.recording === recording);
  const hours = recordings.map(({ analysedHours }) => analysedHours).filter((each) => each !== null);
  const analysedHours = recording === null ? (results.effort?.analysedHours ?? null) : (hours[0] ?? null);
  const count = (status: Recording['status']) => recordings.filter((each) => each.status === status).length;
  const { low90, high90 } = results.effort ?? { low90: null, high90: null };
  let [events, calls] = [0, 0];
  for (let row = 0; row < table.length; row += 1) {
    if (recording !== null && table.recording[row] !== recording) continue;
    events += 1;
    calls += table.calls[row]; // NaN where they were not counted, and then the sum is not known
  }
  return {
    analysed: count('done'),
    partial: count('partial'),
    failed: count('failed'),
    analysedHours,
    events,
    calls: Number.isNaN(calls) ? null : calls,
    eventsPerHour: analysedHours ? events / analysedHours : null,
    interval: own && recording === null && low90 !== null && high90 !== null ? [low90, high90] : null,
  };
}
