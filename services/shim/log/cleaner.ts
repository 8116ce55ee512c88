import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../../shared/logger.ts';
import type { Database } from '../store/database.ts';
import { FencedError } from './fenced-publisher.ts';
import { entryBytes, type GroupCommit } from './group-commit.ts';
import type { Entry } from './record.ts';
import type { LogCut, RecordIndex } from './record-index.ts';

/** Bytes of versions that are stated again in one step; writes go on in between. */
const stepBytes = 512 * 1024;
const intervalMs = 1_000;
const copiedPollMs = 5;
/** Parts of the quota: what one cut writes anew at most, */
const cutPart = 1 / 32;
/** garbage below which nothing is cleaned, */
const garbagePart = 1 / 32;
/** garbage from which on it may be worth it while the log is small, */
const smallLogPart = 1 / 16;
/** and the size of the log at which no more garbage is let come together. */
const fullPart = 31 / 32;
/** What stands in a record beside an encoded version, at most, in bytes. */
const versionOverheadBytes = 24;

/** What a log holds beside versions, and must be stated again too. */
export interface Rest {
  /** About how many bytes it takes. */
  bytes(): number;
  /** Stated in one record. */
  small(): Entry[];
  /** Stated step by step. It is looked at only when the next one is asked for: what has ended meanwhile is not stated again. */
  large(): Iterable<Entry>;
}

export interface LogCleanerOptions {
  database: Database;
  /** What says how far the log is cleaned. */
  cleaned: { cleanedTo: number };
  /** Default: everything that the database holds. */
  rest?: Rest;
  commit: GroupCommit;
  records: RecordIndex;
  /** Size of the log on disk, in bytes. */
  bytes: () => Promise<number>;
  /** Removes the records before a sequence. */
  purge: (sequence: number) => Promise<void>;
  /** Whether all who copy this log hold it up to a sequence, or are not waited for any longer. */
  isCopied: (sequence: number) => boolean | Promise<boolean>;
  /** Size of the log at which writes are refused, in bytes. */
  quotaBytes: number;
  logger: Logger;
}

/**
 * Frees the log's space after a compaction, a cut at a time. The log always holds the whole live state: what the records
 * before a cut hold and is still needed is stated again at the end, then the record `cleaned` says so, then everything before
 * the cut is purged. Killed at any step, the log is complete: before `cleaned` the old records count, after it the new ones.
 *
 * A cut takes the oldest records, a 32nd of the quota, and so needs no more room than that, however full the store is: what
 * is written meanwhile stays below the stream's hard limit, which is an eighth above the quota. (With less than that live, it
 * takes all.) The oldest records come round again and again, as in a ring.
 *
 * Write amplification. With L live bytes in a log of B, a cut frees on average 1 - L/B of what it takes away, so each byte
 * that a client writes makes the log write 1 / (1 - L/B) bytes, when what changes is always the same few keys and all the rest
 * is carried round; less when all keys change alike. Nothing is cleaned until the garbage is as much as the live bytes (L/B =
 * 1/2: each byte twice), which leaves L below half of the quota. Above it the log may fill 31/32 of the quota: 8 times at 85 %
 * live, 14 times at 90 %. When less than a 32nd of the quota is garbage the store is full indeed.
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions;
  readonly #rest: Rest;
  #cutting: Promise<boolean> | null = null;
  #stopped = false;
  #timer: NodeJS.Timeout | undefined;
  /** What is stated again and may be purged once it is copied: records before `cut`, as the record at `saidAt` says. */
  #pending: { cut: number; saidAt: number } | null = null;
  /** At most the sequence at which all that is no version was stated again; newer changes of it stand behind. */
  #restStatedAt = 0;

  constructor(options: LogCleanerOptions) {
    this.#options = options;
    const { database, cleaned, commit } = options;
    this.#rest = options.rest ?? restOf(database);
    const cut = cleaned.cleanedTo;
    if (cut > 1) this.#pending = { cut, saidAt: commit.position.sequence };
  }

  /** Looks every {@link intervalMs} whether there is something to do. */
  start(): void {
    this.#timer = setInterval(() => this.poke(), intervalMs);
  }

  /** Resolves when nothing more is written: a cut that is under way is given up at its next step. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped = true;
    await this.#cutting?.catch(() => undefined);
  }

  /** Runs in the background. What fails is tried again later: the log is complete all the time. */
  poke(): void {
    this.run().catch((error: unknown) => {
      if (!this.#stopped) this.#options.logger.warn({ err: error }, 'the log could not be cleaned');
    });
  }

  /** Cleans as long as it is worth it. Call it after a compaction and now and then. */
  async run(): Promise<void> {
    while (await this.cutOnce());
  }

  /**
   * For a writer that has no room left: makes one cut, or waits a moment for the one before to be copied.
   * @returns whether it is worth looking for room again
   * @throws FencedError when it is stopped: there may be room for the next writer
   */
  async makeRoom(): Promise<boolean> {
    try {
      if (await this.cutOnce()) return true;
      if (!this.#pending) return false;
      await delay(copiedPollMs);
      return true;
    } catch (error) {
      if (this.#stopped) throw stoppedError();
      this.#options.logger.warn({ err: error }, 'no room could be made in the log');
      return false;
    }
  }

  /**
   * Makes one cut, if it is worth it and the one before is purged; waits for the one that is being made.
   * @returns whether records were purged
   */
  cutOnce(): Promise<boolean> {
    this.#cutting ??= this.#cutOnce().finally(() => {
      this.#cutting = null;
    });
    return this.#cutting;
  }

  async #cutOnce(): Promise<boolean> {
    const { database, records, quotaBytes } = this.#options;
    if (this.#stopped) throw stoppedError();
    if (this.#pending) return this.#purge(this.#pending);
    if (!(await this.#isWorthIt())) return false;
    const room = quotaBytes * cutPart;
    const bytesMax = this.#liveBytes() <= room ? Number.POSITIVE_INFINITY : room;
    const cut = records.cut(database.store.compacted, bytesMax);
    if (!cut) return false;
    this.#pending = await this.#clean(cut);
    return this.#purge(this.#pending);
  }

  async #isWorthIt(): Promise<boolean> {
    const { bytes, quotaBytes } = this.#options;
    const live = this.#liveBytes();
    const enough = Math.max(live, quotaBytes * smallLogPart);
    const fits = quotaBytes * fullPart - live;
    return (await bytes()) - live > Math.max(quotaBytes * garbagePart, Math.min(enough, fits));
  }

  /** What the log would take with nothing but what is needed in it; rather more than less. */
  #liveBytes(): number {
    const { bytes, versions } = this.#options.database.store.ownSize;
    return bytes + versions * versionOverheadBytes + this.#rest.bytes();
  }

  async #clean(cut: LogCut): Promise<{ cut: number; saidAt: number }> {
    const { database, cleaned, commit, logger } = this.#options;
    const startedMs = performance.now();
    const versions = await this.#restateVersions(cut);
    if (this.#restStatedAt < cut.sequence) await this.#restateRest();
    await this.#append([
      { kind: 'compact', revision: database.store.compacted },
      { kind: 'cleaned', sequence: cut.sequence },
    ]);
    cleaned.cleanedTo = cut.sequence;
    const tookMs = Math.round(performance.now() - startedMs);
    logger.info({ cut: cut.sequence, revision: cut.revision, versions, tookMs }, 'the log is cleaned');
    return { cut: cut.sequence, saidAt: commit.position.sequence };
  }

  /** States again what stands only before the cut and can still be read. Returns how many versions that are. */
  async #restateVersions(cut: LogCut): Promise<number> {
    const { store } = this.#options.database;
    const { commit } = this.#options;
    // All revisions before the cut are older: of each key no other version there can be read.
    const revision = store.compacted;
    let count = 0;
    let afterKey: string | null = null;
    do {
      const { found, last } = store.standing(
        revision,
        afterKey,
        stepBytes,
        (version) => store.isOwn(version) && version.standsBefore(cut),
      );
      // It goes no earlier than into the record that follows now.
      const sequence = commit.position.sequence + 1;
      const entries = found.map(
        ({ version, end }): Entry => ({ kind: 'version', version: version.bytes, end }),
      );
      // An empty step waits all the same, so that others have their turn.
      await this.#append(entries);
      for (const { version } of found) version.statedAt = sequence;
      count += found.length;
      afterKey = last;
    } while (afterKey !== null);
    return count;
  }

  /** All of it each time, since it is little; but only once in a round of the log. */
  async #restateRest(): Promise<void> {
    const sequence = this.#options.commit.position.sequence + 1;
    await this.#append(this.#rest.small());
    for (const step of stepsOf(this.#rest.large())) await this.#append(step);
    this.#restStatedAt = sequence;
  }

  #append(entries: Entry[]): Promise<void> {
    if (this.#stopped) throw stoppedError();
    return this.#options.commit.append(entries);
  }

  async #purge({ cut, saidAt }: { cut: number; saidAt: number }): Promise<boolean> {
    if (!(await this.#options.isCopied(saidAt))) return false;
    await this.#options.purge(cut);
    this.#options.records.forget(cut);
    this.#pending = null;
    return true;
  }
}

function stoppedError(): FencedError {
  return new FencedError('the writer was closed');
}

/** Everything that a database holds beside versions. */
function restOf(database: Database): Rest {
  return {
    bytes: () => sizeOf(tablesOf(database)) + sizeOf(mergesOf(database)),
    small: () => tablesOf(database),
    large: () => mergesOf(database),
  };
}

/** The conflicts that are open, and how far a merge has come that was begun and not ended. */
function* mergesOf(database: Database): Generator<Entry> {
  for (const conflict of database.conflicts) yield { kind: 'conflict', conflict };
  const { mergingOverlay } = database;
  if (mergingOverlay === null) return;
  yield { kind: 'overlay', id: mergingOverlay, baseSequence: 0 };
  for (const [key, what] of database.judged) yield { kind: 'judged', key, ...what };
}

/** In records of about {@link stepBytes}. */
function* stepsOf(entries: Iterable<Entry>): Generator<Entry[]> {
  let step: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    step.push(entry);
    bytes += entryBytes(entry);
    if (bytes < stepBytes) continue;
    yield step;
    step = [];
    bytes = 0;
  }
  if (step.length > 0) yield step;
}

/** What is no version and is needed too, but for the merges, which may be large. */
function tablesOf(database: Database): Entry[] {
  return [
    ...database.epochEntries(),
    ...(database.leadership ? [{ kind: 'leadership', ...database.leadership } satisfies Entry] : []),
    ...database.leaseAndAlarmEntries(),
    ...[...database.merged].map(([overlay, position]): Entry => ({ kind: 'merged', overlay, position })),
  ];
}

export function sizeOf(entries: Iterable<Entry>): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}
