/**
 * The queues of all reviews of this browser. They outlive the screen of a review: what waits is sent when the page opens,
 * when the connection comes back, and while other screens are shown. A queue stays in memory until all its
 * verdicts are sent.
 */
import { computed, signal } from '@preact/signals';
import { VerdictQueue } from './verdict-queue.ts';
import type { Keeper, QueueOptions, SentVerdict } from './verdict-queue.ts';

/** A keeper whose places can be listed, as those of `localStorage`. */
export interface ListedKeeper extends Keeper {
  readonly length: number;
  key(index: number): string | null;
}

type Options = { keeper: ListedKeeper | null } & Pick<QueueOptions, 'kindOf' | 'retryDelay'>;

type Send = (execution: string, reviewer: string, verdicts: SentVerdict[]) => Promise<unknown>;

interface Held {
  queue: VerdictQueue;
  user: string;
  execution: string;
  reviewer: string;
}

const PREFIX = 'anemonefish.verdicts/';

export class VerdictQueues {
  #options: Options;
  /** By their places: user, execution, reviewer. */
  #held = new Map<string, Held>();
  #send: Send | null = null;
  /** The signed-in user, or null. */
  readonly user = signal<string | null>(null);
  /** Changes whenever a queue does. */
  readonly version = signal(0);
  /** Number of the user's verdicts that the service does not have, and a review to which some belong. */
  readonly waiting = computed(() => {
    void this.version.value;
    const full = this.#ofUser(this.user.value).filter(({ queue }) => queue.waiting);
    return { count: full.reduce((sum, { queue }) => sum + queue.waiting, 0), review: full[0] ?? null };
  });

  constructor(options: Options) {
    this.#options = options;
  }

  /** Send what waits of a user, from now on; also what earlier visits left behind. */
  signIn(user: string, send: Send): void {
    this.signOut();
    this.#send = send;
    this.user.value = user;
    for (const { queue } of this.#ofUser(user)) queue.reopen();
    for (const place of this.#places(`${PREFIX}${user}/`)) {
      const [execution, ...reviewer] = place.split('/');
      void this.open(execution, reviewer.join('/')).flush();
    }
  }

  /**
   * Stop sending. Queues with unsent verdicts stay for the next sign-in of their user: a request may still be running.
   */
  signOut(): void {
    for (const [place, { queue }] of this.#held) {
      queue.close();
      if (!queue.waiting) this.#held.delete(place);
    }
    this.#send = null;
    this.user.value = null;
    this.#changed();
  }

  /** Return the queue of a review of the signed-in user. */
  open(execution: string, reviewer: string): VerdictQueue {
    const user = this.user.peek();
    const place = `${PREFIX}${user}/${execution}/${reviewer}`;
    const known = this.#held.get(place)?.queue;
    if (known?.waiting) return known;
    const queue = new VerdictQueue({
      ...this.#options,
      place,
      send: (verdicts) => this.#send?.(execution, reviewer, verdicts) ?? Promise.reject(new Error('nobody is signed in')),
      onChange: () => this.#changed(),
    });
    this.#held.set(place, { queue, user: user ?? '', execution, reviewer });
    this.#changed();
    return queue;
  }

  /** Send what waits, now. */
  async flush(): Promise<void> {
    await Promise.all(this.#ofUser(this.user.peek()).map(({ queue }) => queue.flush()));
  }

  /** Whether verdicts would be lost with the page, of whichever user. */
  get atRisk(): boolean {
    return [...this.#held.values()].some(({ queue }) => queue.waiting > 0 && !queue.kept);
  }

  #ofUser(user: string | null): Held[] {
    return [...this.#held.values()].filter((held) => held.user === user);
  }

  #places(prefix: string): string[] {
    const { keeper } = this.#options;
    const keys = Array.from({ length: keeper?.length ?? 0 }, (_, index) => keeper?.key(index) ?? '');
    return keys.filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
  }

  #changed(): void {
    this.version.value = this.version.peek() + 1;
  }
}
