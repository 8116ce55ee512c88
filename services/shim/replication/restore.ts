import { rmSync } from 'node:fs';
import type { JetStreamManager, NatsConnection } from 'nats';
import { writeDurably } from '../../../shared/durable-file.ts';
import type { Logger } from '../../../shared/logger.ts';
import { subjects } from '../../../shared/subjects.ts';
import { FencedError, FencedPublisher } from '../log/fenced-publisher.ts';
import { readRecord } from '../log/open-log.ts';
import { chainAt, createLogStream, findStream, readMessage } from '../log/stream.ts';
import { dropKeptRecords, keepRecords, keptBytesMax, readKeptRecords } from './kept-records.ts';
import type { PeerLog, RawRecord } from './peer-log.ts';

export interface RestoreOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  /** The stream of this node's log, and its size limit in bytes. */
  stream: string;
  maxBytes: number;
  /** The last good record of this node's log; its chain is null when there is no record. */
  position: { sequence: number; chain: number | null };
  /** Whether all of this node's log is good, and one of the two is a prefix of the other. */
  isPrefix: boolean;
  /** File that says, while it is there, that the log lacks records. */
  mark: string;
  /** The last record that both hold; 0 when there is none. */
  common: number;
  /** The first and the last record of the peer's copy. */
  peerFirst: number;
  peerLast: number;
  peerLog: PeerLog;
  logger: Logger;
}

/**
 * Gives a leader's log back what it lost, from its follower's mirror, record by record through the fence: so every record is
 * checked by its chain before it is written, and a restore that is killed at any step goes on where it stopped, since what
 * there is then is a shorter log.
 *
 * What is whole is only added to. A log that is damaged, or that ends before the first record which the peer still holds, is
 * made anew: the peer's copy is the complete one, and it is not touched. Good records of ours beyond the peer's end are kept in a stream of
 * their own until they are in the new log. A mark, on disk before the first change, says that records are missing.
 * @throws Error when the peer does not answer or lacks a record: it is tried again at its next hello. Also when ours is to be made
 * anew and holds records of another history than the peer's: a person has to choose
 */
export async function restoreLog(options: RestoreOptions): Promise<void> {
  writeDurably(options.mark, '');
  try {
    await copyMissing(options);
  } catch (error) {
    if (!(error instanceof FencedError) || !options.isPrefix) throw error;
    // nats-server has cut a damaged file, and yet takes nothing behind the cut.
    options.logger.error({ err: error }, 'the log takes no record behind its last good one, it is made anew');
    await copyMissing({ ...options, isPrefix: false });
  }
  await endRestore(options);
}

/** The log has all that it lacked, or goes on without it. */
export async function endRestore({ manager, mark }: Pick<RestoreOptions, 'manager' | 'mark'>): Promise<void> {
  await dropKeptRecords(manager);
  rmSync(mark, { force: true });
}

async function copyMissing(options: RestoreOptions): Promise<void> {
  const { connection, manager, stream, position, peerFirst, peerLast, logger } = options;
  const adds = options.isPrefix && peerFirst <= position.sequence + 1;
  if (!adds) {
    const tail = await ownTail(options);
    if (tail.length > 0) await keepRecords(options, tail);
    await beginAnew(options);
  }
  const kept = await readKeptRecords(manager);
  const start = adds ? position : { sequence: peerFirst - 1, chain: null };
  logger.warn({ stream, from: start.sequence + 1, to: peerLast, kept: kept.length }, 'the log is restored');
  const publisher = new FencedPublisher({
    connection,
    manager,
    stream,
    subject: subjects.logRecords,
    logger,
  });
  try {
    const writer = new RecordWriter(stream, publisher, start.sequence, start.chain);
    while (writer.sequence < peerLast) {
      const records = await options.peerLog.read(writer.sequence + 1);
      if (records.length === 0)
        throw new Error(`the peer does not hold record ${writer.sequence + 1} either`);
      for (const record of records) await writer.write(record);
    }
    for (const record of kept) if (record.sequence > writer.sequence) await writer.write(record);
  } finally {
    publisher.stop();
  }
}

/** Writes records at their own places, each checked against the one before it. */
class RecordWriter {
  readonly #stream: string;
  readonly #publisher: FencedPublisher;
  sequence: number;
  #chain: number | undefined;

  constructor(stream: string, publisher: FencedPublisher, sequence: number, chain: number | null) {
    this.#stream = stream;
    this.#publisher = publisher;
    this.sequence = sequence;
    this.#chain = sequence === 0 ? 0 : (chain ?? undefined);
  }

  async write({ sequence, bytes }: RawRecord): Promise<void> {
    if (sequence !== this.sequence + 1)
      throw new Error(`neither node holds the records from ${this.sequence + 1} to ${sequence - 1}`);
    const { chain } = readRecord(this.#stream, sequence, bytes, this.#chain);
    this.sequence = await this.#publisher.publish(bytes, this.sequence);
    this.#chain = chain;
  }
}

/**
 * Good records of this node's log beyond the end of the peer's copy.
 * @throws Error when they, or earlier ones, do not follow on the peer's copy
 */
async function ownTail({
  manager,
  stream,
  position,
  common,
  peerLast,
}: RestoreOptions): Promise<RawRecord[]> {
  const tail: RawRecord[] = [];
  // Not there: an earlier try has begun the log anew.
  if (position.chain === null || (await chainAt(manager, stream, position.sequence)) !== position.chain)
    return tail;
  if (position.sequence > common && common !== peerLast)
    throw new Error(
      `the log is damaged, and its records from ${common + 1} to ${position.sequence} are another history than the peer's: ` +
        'they are lost when the store is emptied, and then all is taken from the peer',
    );
  let size = 0;
  for (let sequence = peerLast + 1; sequence <= position.sequence; sequence++) {
    const bytes = await readMessage(manager, stream, sequence);
    if (!bytes) throw new Error(`neither node holds record ${sequence}, and this one holds later ones`);
    size += bytes.length;
    if (size > keptBytesMax)
      throw new Error(`record ${sequence} and more exist on this node only, too many to keep`);
    tail.push({ sequence, bytes });
  }
  return tail;
}

async function beginAnew({ manager, stream, maxBytes, peerFirst }: RestoreOptions): Promise<void> {
  if (await findStream(manager, stream)) await manager.streams.delete(stream);
  await createLogStream(manager, { name: stream, subject: subjects.logRecords, maxBytes }, peerFirst);
}
