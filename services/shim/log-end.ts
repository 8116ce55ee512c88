import { readBootId } from '../../shared/boot-id.ts';
import { UserError } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/logger.ts';
import type { LogPosition } from './log/group-commit.ts';
import { VerifiedPoint } from './verified-point.ts';

/** How often it is noted how far the log goes, in milliseconds: what is lost of a younger end is not noticed. */
const intervalMs = 1_000;

/**
 * Notes beside the log of a node without a peer how far it goes. When nats-server finds a record that does not check it cuts the log
 * off there and says nothing: without the note, what was acknowledged would be gone in silence.
 */
export class LogEnd {
  readonly #file: string;
  readonly #point: VerifiedPoint;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | null = null;

  constructor(file: string, logger: Logger) {
    this.#file = file;
    this.#point = new VerifiedPoint(file, readBootId());
    this.#logger = logger;
  }

  /** @throws UserError when the log had more records once */
  check({ sequence }: LogPosition): void {
    const reached = this.#point.reached();
    if (sequence >= reached) return;
    throw new UserError(
      `the log ends at record ${sequence}, and went up to record ${reached} once: records that were acknowledged are lost. ` +
        `Restore a backup, or remove ${this.#file} to go on without them`,
    );
  }

  /** Notes from now on where the log ends: all records up to there are on disk. */
  follow(position: () => LogPosition): void {
    this.#timer = setInterval(() => {
      this.#saving ??= this.#save(position()).finally(() => {
        this.#saving = null;
      });
    }, intervalMs);
  }

  async stop(last: LogPosition): Promise<void> {
    clearInterval(this.#timer);
    await this.#saving;
    await this.#save(last);
  }

  /** A full disk keeps the older note, which is as true. */
  async #save(position: LogPosition): Promise<void> {
    await this.#point
      .saveMeanwhile(position)
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'the end of the log could not be noted'));
  }
}
