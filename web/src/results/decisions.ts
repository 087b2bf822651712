/**
 * Deciding again with other settings, one recording after the other, a few at a time. A newer decision stops an older one,
 * and a late answer of an older one is dropped. Decisions that were made are kept, so going back is immediate.
 */
import type { EventFields } from './event-table.ts';

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
  /** The user has moved a slider; nothing was asked for yet, or it is being asked for. */
  | { kind: 'deciding'; settings: DecisionSettings; done: number; total: number }
  | { kind: 'decided'; decided: Decided }
  | { kind: 'failed'; settings: DecisionSettings; error: unknown };

export interface DeciderOptions {
  decide: (settings: DecisionSettings, recording: number, signal: AbortSignal) => Promise<DecidedRecording>;
  onState: (state: DecisionState) => void;
  /** Time without another change before the first request, in ms. */
  delay?: number;
  /** Requests at the same time. */
  width?: number;
}

/** Settings with the same key decide the same events. */
export function settingsKey(settings: DecisionSettings): string {
  const { threshold, median_windows, min_duration_seconds, min_gap_seconds } = settings;
  const thresholds = typeof threshold === 'number' ? threshold : Object.entries(threshold).sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([thresholds, median_windows, min_duration_seconds, min_gap_seconds]);
}

export class Decider {
  #options: Required<DeciderOptions>;
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Most recent last. */
  #known = new Map<string, { decision: string | null; events: Map<number, EventFields[]> }>();

  constructor({ delay = 150, width = 4, ...options }: DeciderOptions) {
    this.#options = { delay, width, ...options };
  }

  /** Decide for these recordings, in this order. */
  request(settings: DecisionSettings, recordings: readonly number[]): void {
    this.#stop();
    const known = this.#knownOf(settingsKey(settings));
    const open = recordings.filter((recording) => !known.events.has(recording));
    if (open.length === 0 && known.decision !== null) {
      this.#finish(settings, recordings, known.decision, known.events);
      return;
    }
    const total = recordings.length;
    this.#options.onState({ kind: 'deciding', settings, done: total - open.length, total });
    const { signal } = this.#controller;
    this.#timer = setTimeout(() => void this.#run(settings, recordings, open, known, signal), this.#options.delay);
  }

  /** Return to the execution's own settings. */
  reset(): void {
    this.#stop();
    this.#options.onState({ kind: 'own' });
  }

  /** Stop asking, for example because the screen closes. */
  close(): void {
    this.#stop();
  }

  async #run(
    settings: DecisionSettings,
    recordings: readonly number[],
    open: readonly number[],
    known: { decision: string | null; events: Map<number, EventFields[]> },
    signal: AbortSignal,
  ): Promise<void> {
    const { decide, onState, width } = this.#options;
    const queue = open.values(); // shared, so each recording is taken by one worker
    let done = recordings.length - open.length;
    const work = async () => {
      for (const recording of queue) {
        if (signal.aborted) return;
        const answer = await decide(settings, recording, signal);
        known.decision = answer.decision;
        known.events.set(recording, answer.events);
        done += 1;
        if (!signal.aborted && done < recordings.length) onState({ kind: 'deciding', settings, done, total: recordings.length });
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(width, open.length) }, work));
      if (!signal.aborted && known.decision !== null) this.#finish(settings, recordings, known.decision, known.events);
    } catch (error) {
      if (signal.aborted) return;
      this.#stop(); // the other workers, too
      onState({ kind: 'failed', settings, error });
    }
  }

  #finish(settings: DecisionSettings, recordings: readonly number[], decision: string, events: Map<number, EventFields[]>): void {
    const asked = new Map(recordings.map((recording) => [recording, events.get(recording) as EventFields[]]));
    this.#options.onState({ kind: 'decided', decided: { settings, decision, events: asked } });
  }

  #knownOf(key: string): { decision: string | null; events: Map<number, EventFields[]> } {
    const known = this.#known.get(key) ?? { decision: null, events: new Map<number, EventFields[]>() };
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size > 20) this.#known.delete(this.#known.keys().next().value as string);
    return known;
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#controller.abort();
    this.#controller = new AbortController();
  }
}
