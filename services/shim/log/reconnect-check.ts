import { setTimeout as delay } from 'node:timers/promises';
import { Events, type JetStreamManager, type NatsConnection } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import type { LogPosition } from './group-commit.ts';
import { chainAt, jetStreamError, jetStreamErrorCode } from './stream.ts';

/** How long to wait before a server that could not say is asked again, in milliseconds. */
const againAfterMs = 500;

export interface ReconnectCheckOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  stream: string;
  /** Where the log's writer stands: this record was acknowledged. */
  position: () => LogPosition;
  /** Called once, when the record at that position is not there any more, or is another one. */
  onMissing: (sequence: number) => void;
  logger: Logger;
}

/**
 * Looks after each reconnect whether the log still holds the newest record that was acknowledged: a nats-server may come back with
 * an empty store or an older one, and takes what follows for a gap for ever.
 */
export class ReconnectCheck {
  readonly #options: ReconnectCheckOptions;
  /** Counts the reconnects: a newer one makes the check of an older one needless. */
  #run = 0;
  #stopped = false;

  constructor(options: ReconnectCheckOptions) {
    this.#options = options;
    void this.#checkOnReconnect();
  }

  stop(): void {
    this.#stopped = true;
  }

  async #checkOnReconnect(): Promise<void> {
    for await (const { type } of this.#options.connection.status()) {
      if (this.#stopped) return;
      if (type === Events.Reconnect) void this.#check(++this.#run);
    }
  }

  async #check(run: number): Promise<void> {
    const { connection, position, onMissing, logger } = this.#options;
    while (!this.#stopped && run === this.#run && !connection.isClosed()) {
      const { sequence, chain } = position();
      try {
        if (sequence === 0 || (await this.#chainAt(sequence)) === chain || this.#stopped) return;
        this.#stopped = true;
        onMissing(sequence);
        return;
      } catch (error) {
        logger.warn({ err: error }, 'whether the log is still there cannot be said yet');
        await delay(againAfterMs);
      }
    }
  }

  /** Null when there is no such record, or no such stream. */
  #chainAt(sequence: number): Promise<number | null> {
    const { manager, stream } = this.#options;
    return chainAt(manager, stream, sequence).catch((error: unknown) => {
      if (jetStreamErrorCode(error) === jetStreamError.streamNotFound) return null;
      throw error;
    });
  }
}
