import { randomBytes } from 'node:crypto';
import type { JetStreamManager, NatsConnection } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import { overlayStream } from '../../../shared/nats-server/names.ts';
import { subjects } from '../../../shared/subjects.ts';
import type { LeaseExpiry } from '../lease/expiry.ts';
import { LocalWrites } from '../local-writes.ts';
import { LogCleaner, type Rest, sizeOf } from '../log/cleaner.ts';
import { type GroupCommit, touchedBytes } from '../log/group-commit.ts';
import { LogHealth } from '../log/log-health.ts';
import { readRecord, replayLog } from '../log/open-log.ts';
import { type OwnedLog, openLog, openLogWriter, streamManager } from '../log/owned-log.ts';
import type { Cause, Conflict, Entry, LogRecord } from '../log/record.ts';
import { findStream, readMessage } from '../log/stream.ts';
import { Quota, streamBytesMax } from '../quota.ts';
import { Database } from '../store/database.ts';
import { type KeyValue, readKeyValue, readValue } from '../store/key-value.ts';
import { followerBandAfterLoss, nextOddBand } from '../store/revision-band.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import type { ForkedTail } from './forked-tail.ts';
import { isEphemeral } from './merge.ts';
import type { MergeEntry } from './protocol.ts';

const stream = overlayStream(1);

/** What a follower wrote alone, ready to be merged. */
export interface OverlayChanges {
  id: string;
  /** The newest revision that was written alone. */
  revision: number;
  entries: MergeEntry[];
  /** Conflicts that the leader's log has lost and the mirror below has not. */
  conflicts: readonly Conflict[];
}

/** What is remembered of a key that was changed alone. */
export interface Touched {
  /** Its mod revision in the mirror, 0 if it was absent there. */
  base: number;
  /** The overlay's revision at which it changed last. */
  revision: number;
  /** The lease that it hung on, also before a deletion; 0n is none. */
  lease: bigint;
  /** Why it changed last. */
  cause: Cause;
  /** When, in ms since the Unix epoch. */
  timeMs: number;
}

export interface OverlayOptions {
  connection: NatsConnection;
  /** The follower's database, with the mirror folded up to the base. */
  database: Database;
  /** Size of the overlay at which the NOSPACE alarm is raised. */
  quotaBytes: number;
  identity: Uint8Array;
  memberId: bigint;
  newLeaseId: () => bigint;
  expiry: LeaseExpiry;
  /** The newest revision that is known to be used anywhere. */
  usedRevision: () => number;
  /** This node has been off, and has not met its leader since: what it wrote alone may be lost in part, or all of it. */
  mayHaveLost: () => boolean;
  onVisible: (from: number, to: number) => void;
  onFenced: (error: Error) => void;
  onWritten: (seconds: number) => void;
  /** Called when {@link Overlay.failure} changed. */
  onHealth: () => void;
  logger: Logger;
}

/** The overlay that is on disk, as each record of it says, and where it stands on the mirror; null when there is none. */
export async function findOverlay(
  connection: NatsConnection,
): Promise<{ id: string; baseSequence: number } | null> {
  const manager = await streamManager(connection);
  const info = await findStream(manager, stream);
  const first =
    info && info.state.messages > 0 ? await readMessage(manager, stream, info.state.first_seq) : null;
  if (!info || !first) return null;
  const begin = readRecord(stream, info.state.first_seq, first, undefined).entries[0];
  return begin?.kind === 'overlay' ? { id: begin.id, baseSequence: begin.baseSequence } : null;
}

/**
 * What the overlay that is on disk holds, to be merged without being served; null when there is none. A key that is not found
 * in what it stands on counts as absent there: at worst that makes a conflict.
 * @param log the stream that it stands on, and how far that goes
 * @throws UserError when a record is of a newer version
 */
export async function readOverlay(
  options: { connection: NatsConnection; manager: JetStreamManager; quotaBytes: number; logger: Logger },
  log: { stream: string; last: number },
): Promise<OverlayChanges | null> {
  const { connection, manager, quotaBytes } = options;
  const overlay = await findOverlay(connection);
  if (!overlay) return null;
  const database = new Database();
  const first = (await findStream(manager, log.stream))?.state.first_seq || 1;
  const last = Math.min(overlay.baseSequence, log.last);
  await replayLog(options, log.stream, first, last, (record, sequence) => {
    database.apply(record, sequence);
  });
  const touched = new TouchedKeys();
  await openLog({
    ...options,
    database,
    stream,
    subject: subjects.overlayRecords,
    maxBytes: streamBytesMax(quotaBytes),
    onRecord: (record) => touchReplayed(database, record, touched),
  });
  const { store } = database;
  return { id: overlay.id, revision: store.head, entries: mergeEntries(store, touched), conflicts: [] };
}

/** Removes the overlay, once all of it is merged and in the mirror. */
export async function removeOverlay(connection: NatsConnection): Promise<void> {
  const manager = await streamManager(connection);
  if (await findStream(manager, stream)) await manager.streams.delete(stream);
}

/**
 * What a follower writes alone: a log of its own, beside the mirror, in a band of revisions of its own. It takes writes
 * until it is sealed for the merge, and again if the merge is broken off.
 */
export class Overlay {
  readonly #options: OverlayOptions;
  readonly id: string;
  readonly #log: OwnedLog;
  readonly #touched: TouchedKeys;
  readonly #baseSequence: number;
  #health: LogHealth | null = null;
  #tail: ReadonlyMap<string, MergeEntry> = new Map();
  #tailConflicts: readonly Conflict[] = [];
  #commit: GroupCommit | null = null;
  #writes: LocalWrites | null = null;
  #cleaner: LogCleaner | null = null;

  private constructor(
    options: OverlayOptions,
    { id, baseSequence }: { id: string; baseSequence: number },
    log: OwnedLog,
    touched: TouchedKeys,
  ) {
    this.#options = options;
    this.id = id;
    this.#log = log;
    this.#touched = touched;
    this.#baseSequence = baseSequence;
  }

  /** Why the overlay takes no writes; null while it does. */
  get failure(): string | null {
    return this.#log.fault ?? this.#health?.failure ?? null;
  }

  /** Records of it are lost or damaged: it takes no writes any more, and is merged as far as it is good. */
  get isTorn(): boolean {
    return this.#log.fault !== null;
  }

  /** The newest revision that was written alone. */
  get revision(): number {
    return this.#options.database.store.head;
  }

  get pendingWrites(): number {
    return this.#commit?.waiting ?? 0;
  }

  /** Where writes go; null while the overlay is sealed. */
  get writes(): LocalWrites | null {
    return this.#writes;
  }

  /**
   * Opens the overlay on disk, or begins a new one on the mirror up to `baseSequence`, and takes writes. One of a node that was
   * off takes none before {@link goOn}.
   * @param newId the id of a new one
   * @throws StoreFullError when there is no room for its first record
   * @throws UserError when what is on disk is of a newer version
   */
  static async open(
    options: OverlayOptions,
    baseSequence: number,
    newId = randomBytes(8).toString('hex'),
  ): Promise<Overlay> {
    options.database.standOnThis();
    const touched = new TouchedKeys();
    let id = '';
    const log = await openLog({
      ...options,
      maxBytes: streamBytesMax(options.quotaBytes),
      stream,
      subject: subjects.overlayRecords,
      onRecord: (record) => {
        const [begin] = record.entries;
        if (begin?.kind === 'overlay') id = begin.id;
        touchReplayed(options.database, record, touched);
      },
    });
    const name = { id: id || newId, baseSequence };
    const overlay = new Overlay(options, name, log, touched);
    if (id === '' || !options.mayHaveLost()) await overlay.unseal({ jumps: id === '' });
    return overlay;
  }

  /** Takes writes now that they are allowed, though the node was off: above all that may have been told before. */
  async goOn(): Promise<void> {
    if (!this.#writes) await this.unseal({ jumps: true });
  }

  /**
   * Takes writes (again), unless it is torn.
   * @param jumps it begins, or goes on, in a band that is free
   */
  async unseal({ jumps = false } = {}): Promise<void> {
    if (this.isTorn) return;
    const { connection, database, quotaBytes, onVisible, onFenced, onWritten, logger } = this.#options;
    const health = new LogHealth({
      probe: async () => this.#commit?.appendNoOp(),
      onChange: this.#options.onHealth,
    });
    const commit = await openLogWriter({
      connection,
      stream,
      subject: subjects.overlayRecords,
      maxBytes: streamBytesMax(quotaBytes),
      logger,
      log: this.#log,
      epoch: database.epoch?.number ?? 0,
      // The first record says which overlay it is, whichever is the first by then.
      heading: [{ kind: 'overlay', id: this.id, baseSequence: this.#baseSequence }],
      replicated: () => Promise.resolve(),
      onVisible,
      onFenced,
      onWritten,
      health,
    });
    if (jumps) {
      const revision = this.#freeBand();
      database.store.jump(revision);
      await commit.append([{ kind: 'jump', revision }]).catch((error: Error) => {
        commit.stop(error);
        throw error;
      });
      logger.warn({ overlay: this.id, revision }, 'writing alone from here on');
    }
    this.#log.position = commit.position;
    this.#commit = commit;
    this.#health = health;
    const cleaner = this.#openCleaner(commit);
    this.#cleaner = cleaner;
    this.#writes = new LocalWrites({
      ...this.#options,
      quota: new Quota(quotaBytes, this.#log.bytes),
      commit,
      monotonicMs: () => performance.now(),
      onChanges: (changes, cause) => this.#touch(changes, cause),
      onCompacted: () => cleaner.poke(),
      makeRoom: () => cleaner.makeRoom(),
    });
  }

  /** The mirror below stays as it is: what stands there is not stated again. Nobody copies an overlay. */
  #openCleaner(commit: GroupCommit): LogCleaner {
    const { database, quotaBytes, logger } = this.#options;
    const { records, bytes, purge } = this.#log;
    const cleaner = new LogCleaner({
      database,
      cleaned: this.#log,
      rest: restOfOverlay(database, this.#touched),
      commit,
      records,
      bytes,
      purge,
      isCopied: () => true,
      quotaBytes,
      logger,
    });
    cleaner.start();
    return cleaner;
  }

  #freeBand(): number {
    const { database, usedRevision, mayHaveLost } = this.#options;
    const used = Math.max(usedRevision(), database.store.head);
    return mayHaveLost() ? followerBandAfterLoss(used) : nextOddBand(used);
  }

  /** Takes no more writes: those that wait are finished first. */
  async seal(): Promise<void> {
    const writes = this.#writes;
    this.#writes = null;
    this.#health?.stop();
    await this.#cleaner?.stop();
    this.#log.position = (await writes?.finish()) ?? this.#log.position;
  }

  /** What the mirror below holds of another history than the leader's: it is merged with the overlay, as if it were part of it. */
  standOn({ entries, conflicts }: ForkedTail): void {
    this.#tail = new Map(entries.map((entry) => [entry.key, entry]));
    this.#tailConflicts = conflicts;
  }

  /** What is to be merged, as it stands now. */
  changes(): OverlayChanges {
    return {
      id: this.id,
      revision: this.revision,
      entries: this.#entries(),
      conflicts: this.#tailConflicts,
    };
  }

  /** Everything that was changed alone, but what is ephemeral or expired. */
  #entries(): MergeEntry[] {
    const own = mergeEntries(this.#options.database.store, this.#touched).map((entry) => ({
      ...entry,
      base: this.#tail.get(entry.key)?.base ?? entry.base,
    }));
    const below = [...this.#tail.values()].filter(({ key }) => !this.#touched.has(key));
    return [...below, ...own];
  }

  /** @returns takes it back */
  #touch(changes: readonly Version[], cause: Cause): () => void {
    const known = changes.map(({ entry: { key } }) => ({ key, touched: this.#touched.get(key) }));
    for (const version of changes) {
      const before = this.#options.database.store.previous(version);
      const { modRevision, lease } = version;
      const change = { key: version.entry.key, modRevision, version: version.version, lease };
      touch(this.#touched, change, before, { cause, timeMs: Date.now() });
    }
    return () => {
      for (const { key, touched } of known) {
        if (touched) this.#touched.set(key, touched);
        else this.#touched.delete(key);
      }
    };
  }
}

/** The keys that were changed, as they stand now, but what is ephemeral or expired. */
export function mergeEntries(store: Store, touched: ReadonlyMap<string, Touched>): MergeEntry[] {
  const result: MergeEntry[] = [];
  for (const [key, { base, revision, lease, cause, timeMs }] of touched) {
    if (cause === 'lease-expiry' || isEphemeral(key, lease)) continue;
    const version = store.current(key);
    const value = version ? Buffer.from(readValue(version.bytes)) : Buffer.alloc(0);
    result.push({ key, base, deleted: !version, value, timeMs, revision });
  }
  return result;
}

/** Remembers what a record changes; to be called before it is applied. */
export function touchReplayed(database: Database, record: LogRecord, touched: TouchedKeys): void {
  for (const entry of record.entries) {
    if (entry.kind === 'touched') {
      const { key, base, revision, lease, cause, timeMs } = entry;
      touched.set(key, { base, revision, lease, cause, timeMs });
    }
    if (entry.kind !== 'revision') continue;
    for (const change of entry.changes) {
      const kv = readKeyValue(change as Buffer);
      touch(touched, kv, database.store.current(kv.key), { cause: entry.cause, timeMs: record.timeMs });
    }
  }
}

/** The keys that were changed alone. */
export class TouchedKeys extends Map<string, Touched> {
  #keyBytes = 0;

  /** About how many bytes they take in the log. */
  get bytes(): number {
    return this.#keyBytes + this.size * touchedBytes;
  }

  override set(key: string, touched: Touched): this {
    if (!this.has(key)) this.#keyBytes += key.length;
    return super.set(key, touched);
  }

  override delete(key: string): boolean {
    if (this.has(key)) this.#keyBytes -= key.length;
    return super.delete(key);
  }
}

/** What an overlay holds beside versions: what it made of leases and alarms, and all that the merge must know of each key. */
export function restOfOverlay(database: Database, touched: TouchedKeys): Rest {
  return {
    bytes: () => sizeOf(database.leaseAndAlarmEntries()) + touched.bytes,
    small: () => database.leaseAndAlarmEntries(),
    large: () => touchedEntries(database, touched),
  };
}

function* touchedEntries({ store }: Database, touched: TouchedKeys): Generator<Entry> {
  for (const [key, what] of touched) {
    yield { kind: 'touched', key, ...what, ended: what.base === 0 ? 0 : store.endOfBelow(key) };
  }
}

/** The first change of a key tells its base, the last one all else. */
export function touch(
  touched: TouchedKeys,
  { key, modRevision, version, lease }: Pick<KeyValue, 'key' | 'modRevision' | 'version' | 'lease'>,
  before: Version | undefined,
  why: Pick<Touched, 'cause' | 'timeMs'>,
): void {
  const known = touched.get(key);
  touched.set(key, {
    base: known ? known.base : (before?.modRevision ?? 0),
    revision: modRevision,
    lease: version === 0 ? (before?.lease ?? known?.lease ?? 0n) : lease,
    ...why,
  });
}
