import { randomBytes } from 'node:crypto';
import type { JetStreamManager, NatsConnection } from 'nats';
import { UserError } from '../../../shared/lifecycle.ts';
import type { Logger } from '../../../shared/logger.ts';
import { Database, type Epoch, type Leadership } from '../store/database.ts';
import { FencedPublisher } from './fenced-publisher.ts';
import { GroupCommit, type LogPosition } from './group-commit.ts';
import type { LogHealth } from './log-health.ts';
import { replayLog } from './open-log.ts';
import type { Entry, LogRecord } from './record.ts';
import { RecordIndex } from './record-index.ts';
import { ensureLogStream, readLastMessage } from './stream.ts';

/** How long a JetStream API request may take, in milliseconds. */
const apiTimeoutMs = 10_000;

export interface OwnedLogOptions {
  connection: NatsConnection;
  stream: string;
  subject: string;
  maxBytes: number;
  logger: Logger;
  /** What the log is folded on top of; default: nothing. How far it is cleaned itself is not told there. */
  database?: Database;
  /** Called for each record before it is applied. */
  onRecord?: (record: LogRecord) => void;
}

/** A log that is read and can be written, once {@link OwnedLog.begin} says under which epoch. */
export interface OwnedLog {
  readonly database: Database;
  /** Where it stands. Whoever closes its writer notes it here for the next one. */
  position: LogPosition;
  readonly records: RecordIndex;
  /** The first record that it holds. */
  firstSequence: number;
  /** Records before this sequence hold nothing that is needed. */
  cleanedTo: number;
  /** What is wrong with a record of it: it is good up to {@link position} only. Null when nothing is. */
  readonly damage: string | null;
  /** Why it is not whole, damaged or not; null when it is. Nothing may be written behind one that is not. */
  readonly fault: string | null;
  /** Size of the stream in bytes. */
  bytes(): Promise<number>;
  /** Removes the records before a sequence. */
  purge(sequence: number): Promise<void>;
  /** Raises the stream's limit to what was asked for: the quota may be larger than when it was made. It is never lowered. */
  raiseLimit(): Promise<void>;
}

/** A manager of JetStream on the node's own server. */
export function streamManager(connection: NatsConnection): Promise<JetStreamManager> {
  return connection.jetstreamManager({ checkAPI: false, timeout: apiTimeoutMs });
}

/**
 * Opens a log of this node: makes its stream where there is none, and folds what it holds, as far as it is good.
 * @throws UserError when a record is of a newer version
 */
export async function openLog(options: OwnedLogOptions): Promise<OwnedLog> {
  const { connection, stream, subject, maxBytes, logger } = options;
  const manager = await streamManager(connection);
  const { state, config } = await ensureLogStream(manager, { name: stream, subject, maxBytes });
  const { database = new Database(), onRecord } = options;
  const { first_seq, last_seq, messages } = state;
  const first = first_seq || 1;
  const last = messages > 0 ? ((await readLastMessage(manager, stream, subject))?.sequence ?? 0) : 0;
  const records = new RecordIndex();
  let cleanedTo = 1;
  const startedMs = performance.now();
  const { position, damage: torn } = await replayLog(
    { connection, manager, logger },
    stream,
    first,
    last,
    (record, sequence, bytes) => {
      onRecord?.(record);
      for (const entry of record.entries)
        if (entry.kind === 'cleaned') cleanedTo = Math.max(cleanedTo, entry.sequence);
      database.apply(options.database ? withoutCleaned(record) : record, sequence);
      records.add(sequence, record.lastRevision, bytes);
      // Readers of what is below are served meanwhile: before all is stated again they would miss some of it.
      if (!options.database || cleanedTo >= first) database.store.show(record.lastRevision);
    },
  );
  const isShort = messages > 0 && last < last_seq;
  const damage = torn ?? (isShort ? `${stream} has lost its records from ${last + 1} to ${last_seq}` : null);
  const isWhole = cleanedTo >= first;
  const fault =
    damage ??
    (isWhole
      ? null
      : `${stream} begins at record ${first}, and what was before it is not stated again: it is not whole`);
  if (fault) logger.error({ stream, fault }, 'the log is not whole');
  const tookMs = Math.round(performance.now() - startedMs);
  logger.info({ stream, records: last_seq, revision: database.store.visible, tookMs }, 'the log is read');
  const log: OwnedLog = {
    database,
    firstSequence: first,
    cleanedTo,
    position,
    damage,
    fault,
    records,
    bytes: async () => (await manager.streams.info(stream)).state.bytes,
    purge: async (sequence) => {
      // First: who compares this log with another must not look for what is about to go.
      log.firstSequence = sequence;
      await manager.streams.purge(stream, { seq: sequence });
    },
    raiseLimit: async () => {
      if (config.max_bytes < maxBytes) await manager.streams.update(stream, { max_bytes: maxBytes });
    },
  };
  return log;
}

/** What the log below was cleaned to is another matter. */
function withoutCleaned(record: LogRecord): LogRecord {
  return { ...record, entries: record.entries.filter(({ kind }) => kind !== 'cleaned') };
}

export interface LogWriterOptions extends OwnedLogOptions {
  log: OwnedLog;
  epoch: number;
  /** Entries with which each record begins. */
  heading?: readonly Entry[];
  replicated: (sequence: number) => Promise<void>;
  onVisible: (from: number, to: number) => void;
  /** Called before each record is published, when its changes are in the store. */
  beforeWrite?: () => void;
  /** Called with the seconds from a record's publication to its acknowledgement: it is on disk. */
  onWritten: (seconds: number) => void;
  /** Called once when another writer has written to the log: this one takes nothing more. */
  onFenced: (error: Error) => void;
  /** Is told whether the log takes what is written. */
  health?: LogHealth;
}

/**
 * The one writer of a log.
 * @throws UserError when the log is not whole
 */
export async function openLogWriter(options: LogWriterOptions): Promise<GroupCommit> {
  const { connection, stream, subject, logger, log } = options;
  if (log.fault !== null) throw new UserError(log.fault);
  const manager = await streamManager(connection);
  const publisher = new FencedPublisher({ connection, manager, stream, subject, logger });
  return new GroupCommit({
    store: log.database.store,
    position: log.position,
    epoch: options.epoch,
    heading: options.heading ?? [],
    publish: async (record, lastSequence) => {
      options.beforeWrite?.();
      const startedMs = performance.now();
      const publish = () => publisher.publish(record, lastSequence);
      const sequence = await (options.health?.watch(publish) ?? publish());
      options.onWritten((performance.now() - startedMs) / 1_000);
      return sequence;
    },
    replicated: options.replicated,
    onLogged: (sequence, lastRevision, bytes) => log.records.add(sequence, lastRevision, bytes),
    onVisible: options.onVisible,
    onFenced: options.onFenced,
    close: () => publisher.stop(),
    now: Date.now,
    logger,
  });
}

/** The epoch that a leader begins now: the next number, with an id of its own. */
export function nextEpoch(database: Database, position: LogPosition): Epoch {
  return {
    number: (database.epoch?.number ?? 0) + 1,
    id: randomBytes(8).toString('hex'),
    firstSequence: position.sequence + 1,
  };
}

/** What a log says when `node` leads it: a node that did not lead it before begins the next generation. */
export function leadershipOf(node: string, { leadership }: Database): Leadership {
  if (leadership?.node === node) return leadership;
  return { generation: (leadership?.generation ?? 0) + 1, node };
}

/**
 * Writes the epoch's record, which says too who leads: from then on any writer of an earlier epoch is fenced off.
 * @param entries what else stands in it
 */
export async function beginEpoch(
  commit: GroupCommit,
  database: Database,
  epoch: Epoch,
  leader: string,
  entries: readonly Entry[] = [],
): Promise<void> {
  const before = database.leadership;
  database.addEpoch(epoch);
  const leadership = leadershipOf(leader, database);
  database.leadership = leadership;
  await commit.append(
    [{ kind: 'epoch', ...epoch }, { kind: 'leadership', ...leadership }, ...entries],
    () => {
      database.undoEpoch();
      database.leadership = before;
    },
  );
}
