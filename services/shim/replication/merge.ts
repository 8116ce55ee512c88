import type { GroupCommit } from '../log/group-commit.ts';
import type { Entry } from '../log/record.ts';
import { type Database, isRecorded } from '../store/database.ts';
import { readValue } from '../store/key-value.ts';
import { nextEvenBand } from '../store/revision-band.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import type { MergeEntry } from './protocol.ts';

/** What becomes of one key of an overlay. */
export type MergeVerdict = 'take' | 'same' | 'conflict';

/**
 * Judges one key: the follower's change is taken when the leader's key still is what the follower saw before it, or what an
 * earlier, broken-off merge of the same overlay made of it. Otherwise both changed it, and the leader's stays.
 * @param merged the revision that an earlier merge of this overlay gave the key, 0 if it deleted it
 */
export function judgeMerge(
  entry: MergeEntry,
  current: Version | undefined,
  merged: number | undefined,
): MergeVerdict {
  if (entry.deleted ? !current : current && readValue(current.bytes).equals(entry.value)) return 'same';
  const revision = current?.modRevision ?? 0;
  return revision === entry.base || revision === merged ? 'take' : 'conflict';
}

/**
 * Merges a batch of an overlay into the log: one record, so a merge that is killed goes on where it stopped. Conflicts are
 * recorded with both values.
 */
export async function mergeBatch(
  database: Database,
  commit: GroupCommit,
  batch: { overlay: string; revision: number; entries: MergeEntry[]; last: boolean },
): Promise<void> {
  // All of it is in the log already: the follower did not hear the answer.
  if ((database.merged.get(batch.overlay) ?? 0) >= batch.revision) return commit.settled();
  const jump = jumpAbove(database.store, batch.revision);
  const before = new Map(database.mergedKeys);
  // It says in the log whose keys follow; the base has been compared when the follower said hello.
  const entries: Entry[] = [...jump, { kind: 'overlay', id: batch.overlay, baseSequence: 0 }];
  database.beginMerge(batch.overlay);
  for (const entry of batch.entries) mergeKey(database, entry, entries);
  if (batch.last) entries.push({ kind: 'merged', overlay: batch.overlay, position: batch.revision });
  await commit.append(entries, () => database.restoreMerge(before));
  if (batch.last) database.applyEntry({ kind: 'merged', overlay: batch.overlay, position: batch.revision });
}

/** After a split the leader goes on above everything that either side may have used. */
export function jumpAbove(store: Store, revision: number): Entry[] {
  if (store.head >= revision) return [];
  const target = nextEvenBand(revision);
  store.jump(target);
  return [{ kind: 'jump', revision: target }];
}

function mergeKey(database: Database, entry: MergeEntry, entries: Entry[]): void {
  const { store } = database;
  const current = store.current(entry.key);
  const verdict = judgeMerge(entry, current, database.mergedKeys.get(entry.key));
  if (verdict === 'take') {
    const version = apply(store, entry);
    database.mergedKeys.set(entry.key, version.deleted ? 0 : version.modRevision);
    entries.push({
      kind: 'revision',
      revision: version.modRevision,
      cause: 'merge',
      changes: [version.bytes],
    });
  }
  if (verdict === 'conflict') {
    const conflict = {
      key: entry.key,
      leader: current ? Buffer.from(current.bytes) : null,
      follower: entry.deleted ? null : Buffer.from(entry.value),
      followerTimeMs: entry.timeMs,
    };
    if (!isRecorded(database.conflicts, conflict)) {
      const recorded: Entry = { kind: 'conflict', conflict };
      entries.push(recorded);
      database.applyEntry(recorded);
    }
  }
}

function apply(store: Store, entry: MergeEntry): Version {
  const revision = store.head + 1;
  return entry.deleted ? store.delete(revision, entry.key) : store.put(revision, entry.key, entry.value, 0n);
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
