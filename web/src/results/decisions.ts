/**
 * Deciding again with other settings, one recording after the other, a few at a time. Only the newest settings are asked
 * for and shown; answers that come later for older settings are kept, so going back is immediate.
 */
import type { EventFields, EventTable } from './event-table.ts';

/** The settings that a slider changes. */
export interface DecisionSettings {
  threshold: number | Record<string, number>;
  median_windows: number;
  min_duration_seconds: number;
  min_gap_seconds: number;
}

export interface DecidedRecording {
  decision: string;
  events: EventFields[];
}

export interface Decided {
  settings: DecisionSettings;
  /** Id of the decision: it selects the files. */
  decision: string;
  /** Events of each recording that was asked for. */
  events: Map<number, EventFields[]>;
}

export type DecisionState =
  /** The execution's own settings. */
  | { kind: 'own' }
  /** The user has moved a slider; events are asked for. */
  | { kind: 'deciding'; settings: DecisionSettings; done: number; total: number }
  | { kind: 'decided'; decided: Decided }
  | { kind: 'failed'; settings: DecisionSettings; error: unknown };

/** What the screen shows: events, and the decision that made them, or null for the execution's own. Downloads follow it. */
export interface Shown {
  table: EventTable;
  decided: Decided | null;
}

/**
 * Return what is shown after a step of deciding. It stays until a newer decision is complete, so events of two decisions
 * are never mixed, and files are always those of the events in view.
 */
export function shownAfter(before: Shown, state: DecisionState, own: EventTable, tableOf: (decided: Decided) => EventTable): Shown {
  switch (state.kind) {
    case 'deciding':
      return before;
    case 'decided':
      return { table: tableOf(state.decided), decided: state.decided };
    default:
      return { table: own, decided: null };
  }
}

export interface DeciderOptions {
  decide: (settings: DecisionSettings, recording: number, signal: AbortSignal) => Promise<DecidedRecording>;
  onState: (state: DecisionState) => void;
  /** Time without another change before the first request, in ms. */
  delay?: number;
  /** Requests at the same time. */
  width?: number;
  /** Most events that are kept. */
  mostKept?: number;
}

/** Settings with the same key decide the same events. */
export function settingsKey(settings: DecisionSettings): string {
  const { threshold, median_windows, min_duration_seconds, min_gap_seconds } = settings;
  const thresholds = typeof threshold === 'number' ? threshold : Object.entries(threshold).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([thresholds, median_windows, min_duration_seconds, min_gap_seconds]);
}

/** What is known of a decision: the events of the recordings that were asked for. */
interface Known {
  decision: string | null;
  events: Map<number, EventFields[]>;
  /** Recordings that are being asked for. */
  asked: Set<number>;
}

/** What the user wants to see now. */
interface Wish {
  settings: DecisionSettings;
  recordings: readonly number[];
  known: Known;
  /** Recordings that are not asked for yet. */
  queue: number[];
}

/** Most events of all decisions that are kept (about 60 MB); the decision that is wanted is kept whatever its size. */
const MOST_KEPT = 200_000;

export class Decider {
  #options: Required<DeciderOptions>;
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wish: Wish | null = null;
  #running = 0;
  /** By the key of their settings, most recent last. */
  #known = new Map<string, Known>();

  constructor({ delay = 150, width = 4, mostKept = MOST_KEPT, ...options }: DeciderOptions) {
    this.#options = { delay, width, mostKept, ...options };
  }

  /** Decide for these recordings, in this order. */
  request(settings: DecisionSettings, recordings: readonly number[]): void {
    clearTimeout(this.#timer);
    const known = this.#knownOf(settingsKey(settings));
    this.#wish = { settings, recordings, known, queue: [] };
    if (this.#finish(this.#wish)) return;
    this.#report(this.#wish);
    this.#timer = setTimeout(() => this.#start(), this.#options.delay);
  }

  /** Return to the execution's own settings. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#wish = null;
    this.#options.onState({ kind: 'own' });
  }

  /** Stop asking, because the screen closes. */
  close(): void {
    clearTimeout(this.#timer);
    this.#wish = null;
    this.#controller.abort();
  }

  #start(): void {
    if (!this.#wish) return;
    const { recordings, known } = this.#wish;
    this.#wish.queue = recordings.filter((recording) => !known.events.has(recording) && !known.asked.has(recording));
    this.#ask();
  }

  /** Ask for the next recordings. Requests of an older wish are not stopped: they are short, and their answers are kept. */
  #ask(): void {
    while (this.#wish?.queue.length && this.#running < this.#options.width) {
      void this.#askFor(this.#wish, this.#wish.queue.shift() as number);
    }
  }

  async #askFor({ settings, known }: Wish, recording: number): Promise<void> {
    this.#running += 1;
    known.asked.add(recording);
    const isCurrent = () => this.#wish?.known === known;
    try {
      const { decision, events } = await this.#options.decide(settings, recording, this.#controller.signal);
      known.decision = decision;
      known.events.set(recording, events);
      this.#evict();
      if (isCurrent() && !this.#finish(this.#wish as Wish)) this.#report(this.#wish as Wish);
    } catch (error) {
      if (isCurrent()) {
        this.#wish = null;
        this.#options.onState({ kind: 'failed', settings, error });
      }
    } finally {
      known.asked.delete(recording);
      this.#running -= 1;
      this.#ask();
    }
  }

  #report({ settings, recordings, known }: Wish): void {
    const done = recordings.filter((recording) => known.events.has(recording)).length;
    this.#options.onState({ kind: 'deciding', settings, done, total: recordings.length });
  }

  /** Report the decision if it is complete. */
  #finish({ settings, recordings, known }: Wish): boolean {
    if (known.decision === null || !recordings.every((recording) => known.events.has(recording))) return false;
    const events = new Map(recordings.map((recording) => [recording, known.events.get(recording) as EventFields[]]));
    this.#options.onState({ kind: 'decided', decided: { settings, decision: known.decision, events } });
    return true;
  }

  #knownOf(key: string): Known {
    const known = this.#known.get(key) ?? { decision: null, events: new Map(), asked: new Set() };
    this.#known.delete(key);
    this.#known.set(key, known);
    return known;
  }

  /** Forget the oldest decisions while there are too many events. A recording counts as one event more, as it may have none. */
  #evict(): void {
    const sizeOf = ({ events }: Known) => [...events.values()].reduce((sum, each) => sum + each.length + 1, 0);
    let size = [...this.#known.values()].reduce((sum, known) => sum + sizeOf(known), 0);
    for (const [key, known] of this.#known) {
      if (size <= this.#options.mostKept) return;
      if (known === this.#wish?.known) continue;
      this.#known.delete(key);
      size -= sizeOf(known);
    }
  }
}
