import type { JetStreamManager, NatsConnection } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import { keptStream } from '../../../shared/nats-server/names.ts';
import { subjects } from '../../../shared/subjects.ts';
import { FencedPublisher } from '../log/fenced-publisher.ts';
import { createLogStream, findStream, readMessage } from '../log/stream.ts';
import type { RawRecord } from './peer-log.ts';

/** Bytes of records that are kept, at most. */
export const keptBytesMax = 64 * 1024 * 1024;
/** What JetStream needs beside the records; the stream must not be what is too small for them. */
const streamBytesMax = 2 * keptBytesMax;

/**
 * Writes records of a log that is about to be made anew into a stream of their own, on disk when it returns. What an earlier try kept
 * stays when it is more.
 * @param tail records without a hole, at least one
 * @throws Error when an earlier try kept later ones and lacks the first of these
 */
export async function keepRecords(
  options: { connection: NatsConnection; manager: JetStreamManager; logger: Logger },
  tail: readonly RawRecord[],
): Promise<void> {
  const { manager } = options;
  const [first, last] = [tail[0]?.sequence ?? 0, tail[tail.length - 1]?.sequence ?? 0];
  const earlier = await keptRange(manager);
  if (earlier && earlier.last >= last) {
    if (earlier.first <= first) return;
    throw new Error(`the records from ${first} to ${earlier.first - 1} would be lost`);
  }
  // The log itself still holds all of it.
  await dropKeptRecords(manager);
  await createLogStream(
    manager,
    { name: keptStream, subject: subjects.keptRecords, maxBytes: streamBytesMax },
    first,
  );
  const publisher = new FencedPublisher({
    ...options,
    stream: keptStream,
    subject: subjects.keptRecords,
  });
  try {
    for (const { sequence, bytes } of tail) await publisher.publish(bytes, sequence - 1);
  } finally {
    publisher.stop();
  }
}

/** The records that are kept, in order. */
export async function readKeptRecords(manager: JetStreamManager): Promise<RawRecord[]> {
  const kept: RawRecord[] = [];
  const range = await keptRange(manager);
  if (!range) return kept;
  for (let sequence = range.first; sequence <= range.last; sequence++) {
    const bytes = await readMessage(manager, keptStream, sequence);
    if (!bytes) throw new Error(`record ${sequence} was kept and is not there any more`);
    kept.push({ sequence, bytes });
  }
  return kept;
}

/** They are in the log again, or given up. */
export async function dropKeptRecords(manager: JetStreamManager): Promise<void> {
  if (await findStream(manager, keptStream)) await manager.streams.delete(keptStream);
}

async function keptRange(manager: JetStreamManager): Promise<{ first: number; last: number } | null> {
  const state = (await findStream(manager, keptStream))?.state;
  return state && state.messages > 0 ? { first: state.first_seq, last: state.last_seq } : null;
}
