import type { JetStreamManager, NatsConnection } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import type { LogPosition } from '../log/group-commit.ts';
import { readRecord } from '../log/open-log.ts';
import type { LogRecord } from '../log/record.ts';
import { StreamReader } from '../log/stream-reader.ts';
import { Database } from '../store/database.ts';

export interface MirrorFoldOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  stream: string;
  /** The sequence to fold from: above 1, the first that the stream holds. */
  first: number;
  /** The last sequence to fold; Infinity: all that comes. */
  last: number;
  logger: Logger;
  /** Called after each record. */
  onApplied: () => void;
  /** The mirror was away for so long that records are missing before this one; nothing more is folded here. */
  onGap: (sequence: number) => void;
  /** Whether a record is of another history than the leader's: nothing more is folded then. */
  isForeign: (record: LogRecord, sequence: number) => boolean;
  onForeign: (sequence: number) => void;
  onError: (error: Error) => void;
}

/** Folds the mirror into a database, record by record, and goes on with what comes. Nothing is shown to readers here. */
export class MirrorFold {
  readonly database = new Database();
  readonly #reader: StreamReader;
  #position: LogPosition;
  #known: boolean;
  /** The first record that is folded. */
  #first: number;

  constructor(options: MirrorFoldOptions) {
    const { stream, first, last, onApplied, onGap, isForeign, onForeign } = options;
    this.#first = first;
    this.#position = { sequence: first - 1, chain: 0 };
    this.#known = first <= 1;
    this.#reader = new StreamReader({
      ...options,
      from: first,
      onMessage: (sequence, data) => {
        if (sequence > last) {
          this.stop();
          return;
        }
        if (this.#known && sequence !== this.#position.sequence + 1) {
          this.stop();
          onGap(sequence);
          return;
        }
        // A mirror that lost all its records counts on from where they ended, and what comes may be far behind that.
        if (!this.#known) this.#first = sequence;
        const record = readRecord(stream, sequence, data, this.#known ? this.#position.chain : undefined);
        if (isForeign(record, sequence)) {
          this.stop();
          onForeign(sequence);
          return;
        }
        this.database.apply(record, sequence);
        this.#position = { sequence, chain: record.chain };
        this.#known = true;
        onApplied();
      },
    });
  }

  /** The newest record that is folded. */
  get position(): LogPosition {
    return this.#position;
  }

  /** Whether it holds the whole live state: what was before its first record is stated again by now. */
  get isWhole(): boolean {
    return this.database.cleanedTo >= this.#first;
  }

  stop(): void {
    this.#reader.stop();
  }
}
