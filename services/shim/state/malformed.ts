import type { Logger } from '../../../shared/logger.ts';

/** A subject's malformed messages are logged at most this often, in milliseconds. */
const logIntervalMs = 60_000;
/** Subjects that are remembered: more would be somebody's flood. */
const subjectsMax = 256;

/** Counts messages that no one can read, and logs each subject's once a minute. */
export class MalformedMessages {
  readonly #logger: Logger;
  readonly #metrics: { malformed(): void };
  readonly #loggedMs = new Map<string, number>();

  constructor(logger: Logger, metrics: { malformed(): void }) {
    this.#logger = logger;
    this.#metrics = metrics;
  }

  note(subject: string, error: string, nowMs = Date.now()): void {
    this.#metrics.malformed();
    if (nowMs - (this.#loggedMs.get(subject) ?? -logIntervalMs) < logIntervalMs) return;
    if (this.#loggedMs.size >= subjectsMax) this.#loggedMs.clear();
    this.#loggedMs.set(subject, nowMs);
    this.#logger.warn({ subject, error }, 'a malformed message is ignored');
  }
}
