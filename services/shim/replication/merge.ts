import { createHash } from 'node:crypto';
import type { Logger } from '../../../shared/logger.ts';
import type { GroupCommit } from '../log/group-commit.ts';
import { type Conflict, type ConflictSide, conflictBytes, type Entry } from '../log/record.ts';
import type { Database, Judged } from '../store/database.ts';
import { readValue } from '../store/key-value.ts';
import { nextEvenBand } from '../store/revision-band.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import type { Arbiter, Decide } from './arbiter.ts';
import type { MergeEntry } from './protocol.ts';
import { isRoutine } from './routine.ts';

/** Values in one record of a merge, in bytes; the largest pair of values may go beyond it. */
const recordBytesMax = 1024 * 1024;
/** Both values of a conflict up to this size stand in its record; it must fit a message of 8 MiB. */
const bothValuesMax = 6 * 1024 * 1024;

/** What becomes of one key of an overlay. `done`: an earlier, broken-off merge has dealt with it. */
export type MergeVerdict = 'done' | 'take' | 'same' | 'conflict';

/**
 * Judges one key: the follower's change is taken when the leader's key still is what the follower saw before it, or what an
 * earlier merge of the same overlay made of it. Otherwise both changed it.
 */
export function judgeMerge(
  entry: MergeEntry,
  current: Version | undefined,
  judged: Judged | undefined,
): MergeVerdict {
  // What the leader's clients have made of it since then, they made with the follower's change before their eyes.
  if (judged && judged.position >= entry.revision) return 'done';
  if (entry.deleted ? !current : current && readValue(current.bytes).equals(entry.value)) return 'same';
  return (current?.modRevision ?? 0) === (judged?.revision ?? entry.base) ? 'take' : 'conflict';
}

/** What a merge works on. */
export interface MergeContext {
  database: Database;
  commit: GroupCommit;
  arbiter: Arbiter;
  /** The nodes' names. */
  leader: string;
  follower: string;
  /** In ms since the Unix epoch. */
  now: () => number;
  logger: Logger;
}

/** Some keys of an overlay, in the order in which they are to be merged. */
export interface MergeBatch {
  overlay: string;
  /** The overlay's newest revision. */
  revision: number;
  entries: MergeEntry[];
  /** Conflicts of earlier merges that this log has lost. */
  conflicts: readonly Conflict[];
  /** Nothing follows: the overlay is merged. */
  last: boolean;
}

/**
 * Merges a batch of an overlay into the log. What becomes of a key stands in one record with the note that says so, thus a
 * merge that is killed goes on where it stopped, and never takes its own change for one of the leader.
 */
export async function mergeBatch(context: MergeContext, batch: MergeBatch): Promise<void> {
  const { database, commit } = context;
  if (isMerged(database, batch)) return commit.settled();
  const decide = await context.arbiter.prepare(database.store, batch.entries);
  const entries = [...batch.entries];
  const conflicts = batch.conflicts.filter(({ id }) => !database.conflicts.get(id));
  const isDone = () => entries.length === 0 && conflicts.length === 0;
  do {
    const step = new MergeStep(context, batch, decide);
    while (conflicts.length > 0 && step.bytes < recordBytesMax) step.record(conflicts.shift() as Conflict);
    while (entries.length > 0 && step.bytes < recordBytesMax) step.merge(entries.shift() as MergeEntry);
    if (batch.last && isDone()) step.end();
    await step.append();
  } while (!isDone());
}

/**
 * All of it is in the log already: the follower did not hear the answer. What its mirror turned out to hold of another history since then
 * is not.
 */
function isMerged({ merged, judged, conflicts }: Database, batch: MergeBatch): boolean {
  if ((merged.get(batch.overlay) ?? 0) < batch.revision) return false;
  const isJudged = ({ key, revision }: MergeEntry) => (judged.get(key)?.position ?? -1) >= revision;
  return batch.entries.every(isJudged) && batch.conflicts.every(({ id }) => conflicts.get(id));
}

/** After a split the leader goes on above everything that either side may have used. */
export function jumpAbove(store: Store, revision: number): Entry[] {
  return store.head >= revision ? [] : jumpTo(store, nextEvenBand(revision));
}

/** Goes on at `revision`, which is above the head. */
export function jumpTo(store: Store, revision: number): Entry[] {
  store.jump(revision);
  return [{ kind: 'jump', revision }];
}

/** One record of a merge. */
class MergeStep {
  readonly #context: MergeContext;
  readonly #batch: MergeBatch;
  readonly #decide: Decide;
  readonly #entries: Entry[];
  readonly #undo: (() => void)[] = [];
  /** Bytes of values that are in it. */
  bytes = 0;

  constructor(context: MergeContext, batch: MergeBatch, decide: Decide) {
    this.#context = context;
    this.#batch = batch;
    this.#decide = decide;
    this.#entries = jumpAbove(context.database.store, batch.revision);
    // It says in the log whose keys follow; the base has been compared when the follower said hello.
    this.#entries.push({ kind: 'overlay', id: batch.overlay, baseSequence: 0 });
    context.database.beginMerge(batch.overlay);
  }

  merge(entry: MergeEntry): void {
    const { store, judged } = this.#context.database;
    const current = store.current(entry.key);
    const verdict = judgeMerge(entry, current, judged.get(entry.key));
    if (verdict === 'same') this.#judged(entry, current?.modRevision ?? 0);
    if (verdict === 'take') this.#judged(entry, this.#take(entry));
    if (verdict === 'conflict') this.#conflict(entry, current);
  }

  end(): void {
    const { overlay, revision } = this.#batch;
    const { database } = this.#context;
    const { merged } = database;
    const before = merged.get(overlay);
    database.addMerged(overlay, revision);
    this.#undo.push(() => (before === undefined ? merged.delete(overlay) : merged.set(overlay, before)));
    this.#entries.push({ kind: 'merged', overlay, position: revision });
  }

  append(): Promise<void> {
    const undo = () => {
      for (const one of this.#undo.reverse()) one();
    };
    return this.#context.commit.append(this.#entries, undo);
  }

  /** Writes the follower's change, and returns the revision at which it stands: 0 for a deletion. */
  #take({ key, deleted, value }: MergeEntry): number {
    const { store } = this.#context.database;
    const revision = store.head + 1;
    const version = deleted ? store.delete(revision, key) : store.put(revision, key, value, 0n);
    this.bytes += version.length;
    this.#entries.push({ kind: 'revision', revision, cause: 'merge', changes: [version.bytes] });
    return deleted ? 0 : revision;
  }

  #judged({ key, revision: position }: MergeEntry, revision: number): void {
    const { judged } = this.#context.database;
    const before = judged.get(key);
    judged.set(key, { position, revision });
    this.#undo.push(() => (before ? judged.set(key, before) : judged.delete(key)));
    this.#entries.push({ kind: 'judged', key, position, revision });
    this.bytes += key.length;
  }

  #conflict(entry: MergeEntry, current: Version | undefined): void {
    const { leader, follower, now, database } = this.#context;
    const { policy, winner, leaderTimeMs } = this.#decide(entry, current);
    const value = current ? Buffer.from(readValue(current.bytes)) : noValue;
    const revision = (current ?? database.store.latest(entry.key))?.modRevision ?? 0;
    this.record({
      id: conflictId(this.#batch.overlay, entry.key),
      key: entry.key,
      policy,
      winner,
      routine: isRoutine(entry.key, current ? value : null, entry.deleted ? null : entry.value),
      foundMs: now(),
      leader: side({ node: leader, deleted: !current, value, revision, timeMs: leaderTimeMs }),
      follower: side({ node: follower, ...entry }),
    });
    this.#judged(entry, winner === 'follower' ? this.#take(entry) : -1);
  }

  /** Notes a conflict, and gives up others where there are too many. */
  record(found: Conflict): void {
    const { database, logger } = this.#context;
    const { conflicts } = database;
    const conflict = withinMessage(found);
    const before = conflicts.get(conflict.id);
    conflicts.add(conflict);
    this.#undo.push(() => (before ? conflicts.add(before) : conflicts.end(conflict.id, 'dropped')));
    this.#entries.push({ kind: 'conflict', conflict });
    this.bytes += conflictBytes(conflict);
    const { id, key, policy, winner, routine } = conflict;
    logger.warn({ id, key, policy, winner, routine }, 'both nodes changed this key while apart');
    for (let surplus = conflicts.surplus(); surplus; surplus = conflicts.surplus()) {
      const evicted = surplus;
      conflicts.end(evicted.id, 'evicted');
      this.#undo.push(() => conflicts.add(evicted));
      this.#entries.push({ kind: 'conflict-end', id: evicted.id, how: 'evicted' });
      logger.error({ id: evicted.id, key: evicted.key }, 'too many conflicts: this one is no longer kept');
    }
  }
}

const noValue = Buffer.alloc(0);

function side(what: Omit<ConflictSide, 'omittedBytes'>): ConflictSide {
  const { node, deleted, value, revision, timeMs } = what;
  return { node, deleted, value, omittedBytes: 0, revision, timeMs };
}

/** Leaves the winner's value out where both would not fit a message: that one is in the log. */
function withinMessage(conflict: Conflict): Conflict {
  if (conflictBytes(conflict) <= bothValuesMax) return conflict;
  const { winner } = conflict;
  const whole = conflict[winner];
  return { ...conflict, [winner]: { ...whole, value: noValue, omittedBytes: whole.value.length } };
}

/** Short enough to be typed; the same overlay and key always give the same. */
function conflictId(overlay: string, key: string): string {
  return createHash('sha256').update(`${overlay}\0${key}`, 'latin1').digest('hex').slice(0, 10);
}

/** Keys that are worth nothing on the other node, or that their owners write anew anyway: never merged (invariant I2). */
const ephemeralPrefixes = [
  '/registry/leases/',
  '/registry/events/',
  '/registry/masterleases/',
  '/registry/peerserverleases/',
  '/registry/ranges/',
];

/** Whether what a follower wrote alone under this key is dropped at reconvergence. */
export function isEphemeral(key: string, lease: bigint): boolean {
  return (
    lease !== 0n || key === 'compact_rev_key' || ephemeralPrefixes.some((prefix) => key.startsWith(prefix))
  );
}
