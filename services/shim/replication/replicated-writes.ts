import type { Logger } from '../../../shared/logger.ts';

/** Records by which a follower may trail and still count as following: it is asked for each write again. */
const followingLagMax = 256;

/** Says when a record is kept by enough nodes for its callers to be answered. */
export interface ReplicationOptions {
  /** `both`: the follower must have it too while it follows. `local`: this node's disk is enough. */
  ack: 'both' | 'local';
  /** How long a write waits for the follower before this node goes on alone, in milliseconds. */
  ackTimeoutMs: number;
  logger: Logger;
}

interface Waiting {
  sequence: number;
  resolve: () => void;
}

/**
 * With `ack: both` each record waits until the follower has stored it. A follower that does not answer in time is left
 * behind: writes go on alone, and wait for it again once it has caught up.
 */
export class ReplicatedWrites {
  readonly #options: ReplicationOptions;
  readonly #waiting: Waiting[] = [];
  #stored = 0;
  #progressMs = performance.now();
  #following = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ReplicationOptions) {
    this.#options = options;
  }

  /** Whether writes wait for the follower now. */
  get following(): boolean {
    return this.#following;
  }

  /** The newest sequence that the follower is known to hold. */
  get stored(): number {
    return this.#stored;
  }

  /** For how long the follower has stored nothing though there was something to store, in milliseconds. */
  get stillForMs(): number {
    return performance.now() - this.#progressMs;
  }

  /** Resolves when the record may be shown: when the follower has it, or is not waited for. */
  wait(sequence: number): Promise<void> {
    if (!this.#following || this.#stored >= sequence) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ sequence, resolve });
      this.#timer ??= setTimeout(() => this.leave('no answer in time'), this.#options.ackTimeoutMs);
    });
  }

  /**
   * The follower holds the log up to `sequence`.
   * @param newest the log's newest sequence
   */
  storedUpTo(sequence: number, newest: number): void {
    if (sequence > this.#stored || sequence === newest) this.#progressMs = performance.now();
    this.#stored = sequence;
    if (!this.#following && this.#options.ack === 'both' && newest - sequence <= followingLagMax) {
      this.#following = true;
      this.#options.logger.info({ sequence }, 'the follower follows: writes wait for it');
    }
    let answered = 0;
    while (answered < this.#waiting.length && (this.#waiting[answered] as Waiting).sequence <= sequence)
      answered++;
    if (answered === 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { resolve } of this.#waiting.splice(0, answered)) resolve();
    if (this.#waiting.length > 0) {
      this.#timer = setTimeout(() => this.leave('no answer in time'), this.#options.ackTimeoutMs);
    }
  }

  /** The follower may hold nothing any more of what it held. */
  forget(): void {
    this.leave('it was off, or its disk was lost');
    this.#stored = 0;
  }

  /** Goes on without the follower. */
  leave(why: string): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#following) this.#options.logger.warn({ why }, 'writes go on without the follower');
    this.#following = false;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }
}
