import type { Logger } from '../../../shared/logger.ts';
import type { Database } from '../store/database.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Entry } from './record.ts';
import type { RecordIndex } from './record-index.ts';

/** Bytes of versions that are stated again in one step; writes go on in between. */
const stepBytes = 512 * 1024;
const intervalMs = 10_000;
/** Garbage is left alone below this part of the quota. */
const minimumPart = 1 / 16;

export interface LogCleanerOptions {
  database: Database;
  commit: GroupCommit;
  records: RecordIndex;
  /** Size of the log on disk, in bytes. */
  bytes: () => Promise<number>;
  /** Removes the records before a sequence. */
  purge: (sequence: number) => Promise<void>;
  /** Whether all who copy this log hold it up to a sequence, or are not waited for any longer. */
  isCopied: (sequence: number) => boolean | Promise<boolean>;
  /** Largest size of the log, in bytes. */
  quotaBytes: number;
  logger: Logger;
}

/**
 * Frees the log's space after a compaction. The log always holds the whole live state: what records before a cut hold and is
 * still needed is stated again at the end, then the record `cleaned` says so, then everything before the cut is purged.
 * Killed at any step, the log is complete: before `cleaned` the old records count, after it the new ones.
 */
export class LogCleaner {
  readonly #options: LogCleanerOptions;
  #busy = false;
  #timer: NodeJS.Timeout | undefined;
  /** What is stated again and may be purged once it is copied: records before `cut`, as the record at `saidAt` says. */
  #pending: { cut: number; saidAt: number } | null = null;

  constructor(options: LogCleanerOptions) {
    this.#options = options;
    const { database, commit } = options;
    if (database.cleanedTo > 1) this.#pending = { cut: database.cleanedTo, saidAt: commit.position.sequence };
  }

  /** Looks every {@link intervalMs} whether there is something to do. */
  start(): void {
    this.#timer = setInterval(() => this.poke(), intervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Runs in the background. What fails is tried again later: the log is complete all the time. */
  poke(): void {
    this.run().catch((error: unknown) =>
      this.#options.logger.warn({ err: error }, 'the log could not be cleaned'),
    );
  }

  /** Cleans if it is worth it, and purges what may be purged. Call it after a compaction and now and then. */
  async run(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      if (!this.#pending && (await this.#isWorthIt())) this.#pending = await this.#clean();
      await this.#purge();
    } finally {
      this.#busy = false;
    }
  }

  /** Half of the log being garbage makes it worth while: each live byte is then written once more for each byte freed. */
  async #isWorthIt(): Promise<boolean> {
    const { database, bytes, quotaBytes } = this.#options;
    if (database.isMerging) return false;
    const live = database.store.size.bytes;
    return (await bytes()) - live > Math.max(quotaBytes * minimumPart, live);
  }

  async #clean(): Promise<{ cut: number; saidAt: number } | null> {
    const { database, commit, records, logger } = this.#options;
    const { store } = database;
    const revision = store.compacted;
    const cut = records.cut(revision);
    if (cut <= database.cleanedTo) return null;
    const startedMs = performance.now();
    let versions = 0;
    let afterKey: string | null = null;
    for (;;) {
      const step = store.standing(revision, afterKey, stepBytes);
      const last = step[step.length - 1];
      if (!last) break;
      afterKey = last.version.entry.key;
      versions += step.length;
      await commit.append(
        step.map(({ version, end }): Entry => ({ kind: 'version', version: version.bytes, end })),
      );
    }
    await commit.append([...restOf(database), { kind: 'cleaned', sequence: cut }]);
    database.cleanedTo = cut;
    const tookMs = Math.round(performance.now() - startedMs);
    logger.info({ cut, versions, revision, tookMs }, 'the log is cleaned');
    return { cut, saidAt: commit.position.sequence };
  }

  async #purge(): Promise<void> {
    if (!this.#pending || !(await this.#options.isCopied(this.#pending.saidAt))) return;
    await this.#options.purge(this.#pending.cut);
    this.#options.records.forget(this.#pending.cut);
    this.#pending = null;
  }
}

/** What is no version and is needed too. */
function restOf(database: Database): Entry[] {
  return [
    ...database.epochs.map((epoch): Entry => ({ kind: 'epoch', ...epoch })),
    ...[...database.leases].map(([id, ttlSeconds]): Entry => ({ kind: 'lease-grant', id, ttlSeconds })),
    ...database.alarms.raised().map((alarm): Entry => ({ kind: 'alarm', ...alarm, raised: true })),
    ...[...database.merged].map(([overlay, position]): Entry => ({ kind: 'merged', overlay, position })),
    ...database.conflicts.map((conflict): Entry => ({ kind: 'conflict', conflict })),
    { kind: 'compact', revision: database.store.compacted },
  ];
}
