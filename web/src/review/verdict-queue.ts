/**
 * The verdicts of one reviewer on one execution. Each is stored in the browser and sent at once; without a connection it
 * waits, also over a reload. If the browser cannot store it, `kept` is false and the screen says so.
 */

/** `yes`, `no`, `unsure`, or `other:` and the name of a class. */
export type Answer = string;

export interface Stretch {
  recording: number;
  start_sample: number;
  stop_sample: number;
  class: string;
  /** What the draw took it for. It says nothing about which stretch it is. */
  kind?: 'event' | 'segment' | null;
}

export interface Judged {
  verdict: Answer;
  calls: number | null;
  /** Where the reviewer marked the call, in samples at the rate of the analysis. */
  mark: [start: number, stop: number] | null;
}

/** A verdict on its way; null deletes. */
interface Entry {
  stretch: Stretch;
  judged: Judged | null;
}

export type SentVerdict = Stretch & {
  verdict: Answer | null;
  calls: number | null;
  mark_start_sample: number | null;
  mark_stop_sample: number | null;
};

/** Where verdicts are kept in the browser; `localStorage` has these methods. */
export interface Keeper {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface QueueOptions {
  /** Name of the place in the keeper: user, execution and reviewer. */
  place: string;
  keeper: Keeper | null;
  send: (verdicts: SentVerdict[]) => Promise<unknown>;
  /** Called after every change. */
  onChange: () => void;
  /**
   * What an error is about: `passing` (no answer; it is tried again), `content` (what was sent is refused, so the others
   * are sent without it), or `access` (nothing is taken, whatever is sent).
   */
  kindOf: (error: unknown) => 'passing' | 'content' | 'access';
  /** Time before the next try, in ms. */
  retryDelay?: number;
}

/** Largest number of verdicts in a request. */
const MOST_AT_ONCE = 500;

const stretchKey = ({ recording, start_sample, stop_sample, class: name }: Stretch) =>
  JSON.stringify([recording, start_sample, stop_sample, name]);

export class VerdictQueue {
  #options: Required<QueueOptions>;
  #judged = new Map<string, Judged>();
  /** Verdicts that the service does not have yet, the oldest first. */
  #unsent = new Map<string, Entry>();
  /** Those of them that the service refused, and why. They are not sent again by themselves. */
  #refused = new Map<Entry, unknown>();
  #sending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #failure: unknown = null;
  /** Whether the browser keeps what was not sent. */
  kept: boolean;

  constructor({ retryDelay = 5000, ...options }: QueueOptions) {
    this.#options = { retryDelay, ...options };
    this.kept = options.keeper !== null;
    this.#recall();
  }

  /** Number of verdicts that the service does not have yet. */
  get waiting(): number {
    return this.#unsent.size;
  }

  /** Number of verdicts that the service refused; they are among those that wait. */
  get refused(): number {
    return this.#refused.size;
  }

  /** Why the service did not take verdicts; null while it does. */
  get error(): unknown {
    return this.#failure ?? this.#refused.values().next().value ?? null;
  }

  get(stretch: Stretch): Judged | null {
    return this.#judged.get(stretchKey(stretch)) ?? null;
  }

  /** Take over what the service has of this reviewer; what waits here is newer. */
  merge(stored: readonly SentVerdict[]): void {
    for (const { verdict, calls, mark_start_sample: start, mark_stop_sample: stop, ...stretch } of stored) {
      const key = stretchKey(stretch);
      if (this.#unsent.has(key) || verdict === null) continue;
      this.#judged.set(key, { verdict, calls: calls ?? null, mark: start == null || stop == null ? null : [start, stop] });
    }
    this.#options.onChange();
  }

  /** Give a verdict, or delete it with null. */
  put(stretch: Stretch, judged: Judged | null): void {
    const key = stretchKey(stretch);
    if (judged) this.#judged.set(key, judged);
    else this.#judged.delete(key);
    this.#forget(key); // the newest of a stretch goes to the end
    this.#unsent.set(key, { stretch, judged });
    this.#keep();
    this.#options.onChange();
    void this.flush();
  }

  /** Send what waits and was not refused, now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#sending || this.#closed) return;
    this.#sending = true;
    try {
      for (let batch = this.#next(); batch.length && !this.#closed; batch = this.#next()) await this.#sendAll(batch);
    } catch (error) {
      this.#failure = error;
      if (!this.#closed && this.#options.kindOf(error) === 'passing') {
        this.#timer = setTimeout(() => void this.flush(), this.#options.retryDelay);
      }
    } finally {
      this.#sending = false;
      this.#options.onChange();
    }
  }

  /** Send what waits, also what was refused before. */
  sendAgain(): Promise<void> {
    this.#refused.clear();
    return this.flush();
  }

  #next(): [string, Entry][] {
    return [...this.#unsent].filter(([, entry]) => !this.#refused.has(entry)).slice(0, MOST_AT_ONCE);
  }

  /** Send verdicts at once. If the service refuses them, send each alone, so that only those at fault stay. */
  async #sendAll(batch: [string, Entry][]): Promise<void> {
    try {
      await this.#options.send(batch.map(([, { stretch, judged }]) => sentVerdict(stretch, judged)));
    } catch (error) {
      if (this.#options.kindOf(error) !== 'content') throw error;
      if (batch.length > 1) {
        for (const entry of batch) if (!this.#closed) await this.#sendAll([entry]);
        return;
      }
      const [[key, entry]] = batch;
      if (this.#unsent.get(key) === entry) this.#refused.set(entry, error);
      this.#options.onChange();
      return;
    }
    for (const [key, sent] of batch) if (this.#unsent.get(key) === sent) this.#forget(key);
    this.#failure = null;
    this.#keep();
    this.#options.onChange();
  }

  #forget(key: string): void {
    const entry = this.#unsent.get(key);
    if (entry) this.#refused.delete(entry);
    this.#unsent.delete(key);
  }

  /** Stop sending; what waits stays in the browser. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Send again, after {@link close}. */
  reopen(): void {
    this.#closed = false;
    void this.flush();
  }

  /** Give up what the service refused, or, if it takes none at all, all that waits. */
  discard(): void {
    const given = this.#refused.size ? [...this.#refused.keys()] : [...this.#unsent.values()];
    for (const { stretch } of given) {
      this.#forget(stretchKey(stretch));
      this.#judged.delete(stretchKey(stretch));
    }
    this.#failure = null;
    this.#keep();
    this.#options.onChange();
  }

  #recall(): void {
    try {
      const text = this.#options.keeper?.getItem(this.#options.place);
      const kept: [string, Entry][] = JSON.parse(text ?? '[]');
      for (const [key, entry] of kept) {
        this.#unsent.set(key, entry);
        if (entry.judged) this.#judged.set(key, entry.judged);
      }
    } catch {
      this.kept = false;
    }
  }

  #keep(): void {
    const { keeper, place } = this.#options;
    if (!keeper) return;
    try {
      if (this.#unsent.size) keeper.setItem(place, JSON.stringify([...this.#unsent]));
      else keeper.removeItem(place);
      this.kept = true;
    } catch {
      this.kept = false; // full, or forbidden in this browser
    }
  }
}

function sentVerdict(stretch: Stretch, judged: Judged | null): SentVerdict {
  const [start, stop] = judged?.mark ?? [null, null];
  return {
    ...stretch,
    verdict: judged?.verdict ?? null,
    calls: judged?.calls ?? null,
    mark_start_sample: start,
    mark_stop_sample: stop,
  };
}
