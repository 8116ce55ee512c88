import { StoreFullError } from './fenced-publisher.ts';

/** A record that is not on disk after this long, in milliseconds, says that its log takes no writes. */
const unansweredAfterMs = 2_000;
/** How often a store that refused a record is tried again, in milliseconds. */
const probeIntervalMs = 5_000;

export interface LogHealthOptions {
  /** Writes a small record that says nothing new. */
  probe: () => Promise<void>;
  /** Called when {@link LogHealth.failure} changed. */
  onChange: () => void;
}

/**
 * Whether a log takes writes. One that does not acknowledge is broken; one that refused a record is full if it refuses the
 * smallest one, too. A log that does not take writes counts as one that cannot be reached.
 */
export class LogHealth {
  readonly #options: LogHealthOptions;
  #failure: string | null = null;
  #probing = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LogHealthOptions) {
    this.#options = options;
  }

  /** Why the log takes no writes, in a few words; null while it does. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Watches a record on its way: {@link FencedPublisher.publish}. */
  async watch<T>(publish: () => Promise<T>): Promise<T> {
    const timer = setTimeout(
      () => this.#set('the log takes no writes: JetStream does not acknowledge'),
      unansweredAfterMs,
    );
    try {
      const result = await publish();
      this.#set(null);
      return result;
    } catch (error) {
      if (error instanceof StoreFullError) this.#refused();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #refused(): void {
    if (this.#probing || this.#stopped) return;
    this.#probing = true;
    this.#options
      .probe()
      .catch((error: Error) => {
        if (!(error instanceof StoreFullError)) return;
        this.#set(`the log takes no writes: ${error.message}`);
        if (!this.#stopped) this.#timer = setTimeout(() => this.#refused(), probeIntervalMs);
      })
      .finally(() => {
        this.#probing = false;
      });
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #set(failure: string | null): void {
    if (failure === this.#failure) return;
    this.#failure = failure;
    this.#options.onChange();
  }
}
