import type { JetStreamManager, NatsConnection } from 'nats';
import { UserError } from '../../../shared/lifecycle.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { LogPosition } from './group-commit.ts';
import { decodeRecord, FormatError, type LogRecord, RecordError } from './record.ts';
import { readStream } from './stream-reader.ts';

/** Without progress for this long while a log is read, in milliseconds, the reading fails. */
const replayLimitMs = 30_000;

/** A record is torn, changed or missing: what stands before it is good. */
export class DamagedLogError extends UserError {
  override name = 'DamagedLogError';
}

/** How far a log could be read. */
export interface Replayed {
  /** The last record that is good. */
  position: LogPosition;
  /** What is wrong with the one behind it; null when all was read. */
  damage: string | null;
}

/**
 * Reads a whole log in order, checks it, and hands each record over, up to the first one that is damaged.
 * @param first the stream's first sequence
 * @param last the sequence to read up to
 * @throws UserError when a record is of a newer version
 */
export async function replayLog(
  options: { connection: NatsConnection; manager: JetStreamManager; logger: Logger },
  stream: string,
  first: number,
  last: number,
  apply: (record: LogRecord, sequence: number, bytes: number) => void,
): Promise<Replayed> {
  const position: LogPosition = { sequence: first - 1, chain: 0 };
  let previousChain: number | undefined = first <= 1 ? 0 : undefined;
  const reading = readStream({
    ...options,
    stream,
    from: first,
    last,
    limitMs: replayLimitMs,
    onMessage: (sequence, data) => {
      const record = readRecord(stream, sequence, data, previousChain);
      apply(record, sequence, data.length);
      previousChain = record.chain;
      position.sequence = sequence;
      position.chain = record.chain;
    },
  });
  const damage = await reading.then(
    () => null,
    (error: unknown) => {
      if (error instanceof DamagedLogError) return error.message;
      throw error;
    },
  );
  return { position, damage };
}

/**
 * Reads one record, and checks it.
 * @throws DamagedLogError that names the record and what is wrong
 * @throws UserError when it is of a newer version
 */
export function readRecord(
  stream: string,
  sequence: number,
  data: Buffer,
  previousChain: number | undefined,
): LogRecord {
  try {
    return decodeRecord(data, previousChain);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    const text = `record ${sequence} of ${stream} cannot be used: ${error.message}`;
    throw error instanceof FormatError ? new UserError(text) : new DamagedLogError(text);
  }
}
