import type { JetStreamManager, NatsConnection } from 'nats';
import { UserError } from '../../../shared/lifecycle.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { LogPosition } from './group-commit.ts';
import { decodeRecord, type LogRecord, RecordError } from './record.ts';
import { readStream } from './stream-reader.ts';

/** Without progress for this long while a log is read, in milliseconds, the reading fails. */
const replayLimitMs = 30_000;

/**
 * Reads a whole log in order, checks it, and hands each record over.
 * @param first the stream's first sequence
 * @param last the sequence to read up to
 * @returns where the log stands
 * @throws UserError when a record is torn, changed, or of a newer version: nothing may be served from such a log
 */
export async function replayLog(
  options: { connection: NatsConnection; manager: JetStreamManager; logger: Logger },
  stream: string,
  first: number,
  last: number,
  apply: (record: LogRecord, sequence: number, bytes: number) => void,
): Promise<LogPosition> {
  const position: LogPosition = { sequence: first - 1, chain: 0 };
  let previousChain: number | undefined = first <= 1 ? 0 : undefined;
  await readStream({
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
  return position;
}

/** @throws UserError that names the record and what is wrong */
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
    throw new UserError(`record ${sequence} of ${stream} cannot be used: ${error.message}`);
  }
}
