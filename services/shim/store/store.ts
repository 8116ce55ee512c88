import { KeyIndex } from './key-index.ts';
import { type KeyValueFields, keyValueSize, writeKeyValue } from './key-value.ts';
import { RevisionIndex } from './revision-index.ts';
import { Slabs } from './slabs.ts';
import { KeyEntry, Version } from './version.ts';

const noValue = Buffer.alloc(0);
/** Keys that one step of {@link Store.standing} looks at, at most. */
const stepKeys = 10_000;

/** What a Range asks the store for. */
export interface RangeQuery {
  key: string;
  /** undefined: the one key; null: no end; else the first key that is not in the range. */
  end: string | null | undefined;
  /** The revision to read at. */
  revision: number;
}

/**
 * The MVCC store: every version of every key since the last compaction, in memory, in order of keys and of revisions.
 *
 * Changes are applied ahead of their acknowledgement, at {@link head}; readers see nothing above {@link visible}. So the
 * condition of a later write is judged on what is pending, and {@link rollback} takes back what could not be kept.
 * The store knows nothing of the log, of clients or of time.
 */
export class Store {
  readonly #keys = new KeyIndex();
  readonly #revisions = new RevisionIndex();
  readonly #slabs = new Slabs();
  /** Which keys hang on which lease, at the head. */
  readonly #leased = new Map<bigint, Set<string>>();
  #head = 1;
  #visible = 1;
  #compacted = 0;
  /** Jumps that are applied and not yet shown, in order. */
  #jumps: number[] = [];
  /** Keys with a deletion that stands in for what ended a restated version. */
  #ended: { entry: KeyEntry; end: number }[] = [];
  /** The compact revision up to which {@link #ended} was looked through. */
  #endedSweptTo = 0;
  /** Versions up to this revision belong to the log below. */
  #floor = 0;
  readonly #below = { bytes: 0, versions: 0 };
  /** Behind which key values of half-empty slabs are moved together next; null while nothing is moved. */
  #movedTo: string | null = null;

  /** The newest revision that was applied. A new store is at revision 1, as etcd's. */
  get head(): number {
    return this.#head;
  }

  /** The newest revision that readers may see. */
  get visible(): number {
    return this.#visible;
  }

  /** Reads below this revision are refused. */
  get compacted(): number {
    return this.#compacted;
  }

  /** Bytes and number of all versions that are kept, and the number of keys. */
  get size(): { bytes: number; versions: number; keys: number } {
    return { bytes: this.#slabs.liveBytes, versions: this.#slabs.liveCount, keys: this.#keys.size };
  }

  /** {@link size} without what belongs to the log below: see {@link standOnThis}. */
  get ownSize(): { bytes: number; versions: number } {
    const { liveBytes, liveCount } = this.#slabs;
    return { bytes: liveBytes - this.#below.bytes, versions: liveCount - this.#below.versions };
  }

  /** From here on it is another log that changes the store: an overlay, on top of what is there by now. Only the first call counts. */
  standOnThis(): void {
    if (this.#floor > 0) return;
    this.#floor = this.#head;
    this.#below.bytes = this.#slabs.liveBytes;
    this.#below.versions = this.#slabs.liveCount;
  }

  /** Whether a version does not belong to the log below. */
  isOwn({ modRevision }: Version): boolean {
    return modRevision > this.#floor;
  }

  /** The key's version at the head, undefined when it does not exist there. */
  current(key: string): Version | undefined {
    return this.#keys.get(key)?.liveAt(this.#head);
  }

  /** The key's newest version, a deletion included; undefined when there never was one, or when it is compacted. */
  latest(key: string): Version | undefined {
    return this.#keys.get(key)?.newest;
  }

  /** Applies a Put at `revision`, which must not be below the head. The value is copied. */
  put(revision: number, key: string, value: Uint8Array, lease: bigint): Version {
    const before = this.current(key);
    return this.insert(
      key,
      {
        modRevision: revision,
        createRevision: before ? before.createRevision : revision,
        version: before ? before.version + 1 : 1,
        lease,
      },
      value,
    );
  }

  /** Applies the deletion of a key that exists at the head. */
  delete(revision: number, key: string): Version {
    return this.insert(key, { modRevision: revision, createRevision: 0, version: 0, lease: 0n }, noValue);
  }

  /** Applies a change whose numbers are known: from the log, or from {@link put} and {@link delete}. */
  insert(key: string, fields: KeyValueFields, value: Uint8Array): Version {
    const known = this.#keys.get(key);
    const entry = known ?? new KeyEntry(key);
    const before = entry.newest;
    const place = this.#slabs.allocate(keyValueSize(key.length, fields, value.length));
    writeKeyValue(place.slab.bytes, place.offset, key, fields, value);
    const version = new Version(entry, fields, place);
    entry.versions.push(version);
    if (known) this.#adjustLive(key, before, version);
    else this.#keys.insert(entry);
    this.#moveLease(key, before?.lease ?? 0n, version.lease);
    this.#revisions.append(version);
    this.#head = Math.max(this.#head, fields.modRevision);
    return version;
  }

  /**
   * Takes in a version that the log states once more. It may be known, or ended already: then it is put in its place among
   * the key's versions, and never becomes current.
   * @param end the revision that ended it, 0 while it stands
   * @param sequence the record that states it
   */
  restate(key: string, fields: KeyValueFields, value: Uint8Array, end: number, sequence: number): void {
    if (end !== 0 && end <= this.#compacted) return;
    const entry = this.#keys.get(key) ?? this.#newEntry(key);
    this.#place(entry, fields, value).statedAt = sequence;
    // What ended it is cleaned away, or stated later: until then it counts as deleted.
    if (end !== 0) this.#endAt(entry, end);
  }

  /**
   * The revision that ended the version of a key which stands in the log below; 0 while it stands. Where it is compacted by now any
   * revision says as much that is older than all others of this log.
   */
  endOfBelow(key: string): number {
    const versions = this.#keys.get(key)?.versions ?? [];
    const isBelowKnown = versions[0] !== undefined && !this.isOwn(versions[0]);
    if (!isBelowKnown) return this.#floor + 1;
    return versions.find((version) => this.isOwn(version))?.modRevision ?? 0;
  }

  /** Takes in, once more, what {@link endOfBelow} said: until what ended it is stated it counts as deleted. */
  endBelow(key: string, end: number): void {
    const entry = this.#keys.get(key);
    if (entry) this.#endAt(entry, end);
  }

  #endAt(entry: KeyEntry, end: number): void {
    if (entry.versions.some((version) => version.modRevision === end)) return;
    this.#place(entry, { modRevision: end, createRevision: 0, version: 0, lease: 0n }, noValue);
    this.#ended.push({ entry, end });
  }

  #newEntry(key: string): KeyEntry {
    const entry = new KeyEntry(key);
    this.#keys.insert(entry);
    return entry;
  }

  /**
   * Puts a version among those of its key, by revision. A real one takes the place of a deletion that stood in for it.
   * Returns the one that stands there.
   */
  #place(entry: KeyEntry, fields: KeyValueFields, value: Uint8Array): Version {
    const { versions } = entry;
    let at = versions.length;
    while (at > 0 && (versions[at - 1] as Version).modRevision >= fields.modRevision) at--;
    const there = versions[at];
    const taken = there?.modRevision === fields.modRevision;
    if (taken && !(there.deleted && fields.version > 0)) return there;
    const newest = entry.newest;
    const place = this.#slabs.allocate(keyValueSize(entry.key.length, fields, value.length));
    writeKeyValue(place.slab.bytes, place.offset, entry.key, fields, value);
    const version = new Version(entry, fields, place);
    versions.splice(at, taken ? 1 : 0, version);
    if (taken) this.#free(there);
    if (entry.newest === version) {
      this.#adjustLive(entry.key, newest, version);
      this.#moveLease(entry.key, newest?.lease ?? 0n, version.lease);
    }
    this.#head = Math.max(this.#head, fields.modRevision);
    return version;
  }

  /** The head is at least here: the log says so, though what made it so may be cleaned away. */
  advance(revision: number): void {
    this.#head = Math.max(this.#head, revision);
  }

  /**
   * A step through the versions that stand at `revision` and are `wanted`, in order of keys behind `afterKey`: up to about
   * `bytes` of them, each with the revision that ended it meanwhile, or 0. `last` is the key to go on behind, null at the end.
   */
  standing(
    revision: number,
    afterKey: string | null,
    bytes: number,
    wanted: (version: Version) => boolean = () => true,
  ): { found: { version: Version; end: number }[]; last: string | null } {
    const found: { version: Version; end: number }[] = [];
    let size = 0;
    let looked = 0;
    let last: string | null = null;
    this.#keys.walk(afterKey === null ? '' : `${afterKey}\0`, undefined, (entry) => {
      const version = entry.liveAt(revision);
      if (version && wanted(version)) {
        const next = entry.versions[entry.versions.indexOf(version) + 1];
        found.push({ version, end: next?.modRevision ?? 0 });
        size += version.length;
      }
      if (size < bytes && ++looked < stepKeys) return true;
      last = entry.key;
      return false;
    });
    return { found, last };
  }

  /** Lets readers see everything up to `revision`; what a jump within it leaves behind becomes compacted. */
  show(revision: number): void {
    this.#visible = Math.max(this.#visible, Math.min(revision, this.#head));
    for (let jump = this.#jumps[0]; jump !== undefined && jump <= this.#visible; jump = this.#jumps[0]) {
      this.#jumps.shift();
      this.compact(jump);
    }
  }

  /** Takes back all changes above `revision`, which must not have been shown. */
  rollback(revision: number): void {
    for (let last = this.#revisions.last; last && last.modRevision > revision; last = this.#revisions.last) {
      this.#revisions.pop();
      const { entry } = last;
      entry.versions.pop();
      const before = entry.newest;
      if (before) {
        this.#adjustLive(entry.key, last, before);
      } else {
        if (!last.deleted) this.#keys.adjustLive(entry.key, -1);
        this.#keys.remove(entry);
      }
      this.#moveLease(entry.key, last.lease, before?.lease ?? 0n);
      this.#free(last);
    }
    this.#jumps = this.#jumps.filter((jump) => jump <= revision);
    this.#head = Math.min(this.#head, revision);
  }

  /** The versions that a range holds at a revision, in order of keys, up to `limit` of them. */
  range({ key, end, revision }: RangeQuery, limit = Number.POSITIVE_INFINITY): Version[] {
    if (end === undefined) {
      const version = this.#keys.get(key)?.liveAt(revision);
      return version ? [version] : [];
    }
    const found: Version[] = [];
    this.#keys.walk(key, end ?? undefined, (entry) => {
      const version = entry.liveAt(revision);
      if (version) found.push(version);
      return found.length < limit;
    });
    return found;
  }

  /**
   * How many keys a range holds at a revision. It costs a walk over the chunks of the head plus the changes since the
   * revision, or over the keys where that is less.
   */
  count({ key, end, revision }: RangeQuery): number {
    if (end === undefined) return this.#keys.get(key)?.liveAt(revision) ? 1 : 0;
    const live = this.#keys.countLive(key, end ?? undefined);
    if (this.#revisions.countAfter(revision) > live) return this.range({ key, end, revision }).length;
    const changed = new Set<KeyEntry>();
    for (const { entry } of this.#revisions.between(revision, this.#head)) {
      if (entry.key >= key && (end === null || entry.key < end)) changed.add(entry);
    }
    let count = live;
    for (const entry of changed) count += (entry.liveAt(revision) ? 1 : 0) - (entry.live ? 1 : 0);
    return count;
  }

  /** All changes with `after` < revision <= `upTo`, in order. */
  changes(after: number, upTo: number): Generator<Version> {
    return this.#revisions.between(after, upTo);
  }

  /** What the key was before `version`: undefined when it did not exist, or when that is compacted. */
  previous(version: Version): Version | undefined {
    return version.entry.liveAt(version.modRevision - 1);
  }

  /** The keys that hang on a lease, at the head. */
  leasedKeys(lease: bigint): string[] {
    return [...(this.#leased.get(lease) ?? [])];
  }

  /** Refuses reads below `revision` from now on. {@link sweep} then frees what nobody can read. */
  compact(revision: number): void {
    this.#compacted = Math.max(this.#compacted, revision);
  }

  /**
   * Frees up to `limit` versions that ended before the compact revision. Returns false when nothing is left to do. What
   * changed at the compact revision itself stays in order of revisions: a watch may start there, as with etcd. On a follower
   * readers may not be there yet: what they see stays, too.
   */
  sweep(limit: number): boolean {
    const upTo = Math.min(this.#compacted, this.#visible);
    this.#sweepEnded(upTo);
    for (let i = 0; i < limit; i++) {
      const version = this.#revisions.shift(upTo - 1);
      if (!version) return this.#moveTogether(limit);
      this.#sweepKey(version.entry, upTo);
    }
    return true;
  }

  #sweepEnded(upTo: number): void {
    if (upTo <= this.#endedSweptTo) return;
    this.#endedSweptTo = upTo;
    const over = this.#ended.filter(({ end }) => end <= upTo);
    if (over.length === 0) return;
    this.#ended = this.#ended.filter(({ end }) => end > upTo);
    for (const { entry } of over) this.#sweepKey(entry, upTo);
  }

  #sweepKey(entry: KeyEntry, upTo: number): void {
    const { versions } = entry;
    // Its earlier versions took it out of the index; another entry may have its key by now.
    if (versions.length === 0) return;
    let ended = 0;
    while (ended + 1 < versions.length && (versions[ended + 1] as Version).modRevision <= upTo) ended++;
    const standing = versions[ended];
    if (standing?.deleted && standing.modRevision <= upTo) ended++;
    for (const version of versions.splice(0, ended)) this.#free(version);
    if (versions.length === 0) this.#keys.remove(entry);
  }

  #free(version: Version): void {
    this.#slabs.free(version);
    if (this.isOwn(version)) return;
    this.#below.bytes -= version.length;
    this.#below.versions--;
  }

  /** Moves the values of up to `limit` keys out of slabs that are nearly empty. Returns false when that is not needed. */
  #moveTogether(limit: number): boolean {
    if (this.#movedTo === null && !this.#slabs.isWasteful) return false;
    const behind = this.#movedTo === null ? '' : `${this.#movedTo}\0`;
    let count = 0;
    let stoppedAt: string | null = null;
    this.#keys.walk(behind, undefined, (entry) => {
      for (const version of entry.versions) this.#slabs.moveTogether(version);
      if (++count < limit) return true;
      stoppedAt = entry.key;
      return false;
    });
    this.#movedTo = stoppedAt;
    return stoppedAt !== null;
  }

  /**
   * Jumps to a revision above all that was used. When it is shown, everything before it is compacted: clients list anew,
   * as after etcd's `snapshot restore --bump-revision --mark-compacted`.
   */
  jump(revision: number): void {
    this.#head = revision;
    this.#jumps.push(revision);
  }

  #adjustLive(key: string, before: Version | undefined, after: Version): void {
    const lived = before !== undefined && !before.deleted;
    if (lived !== !after.deleted) this.#keys.adjustLive(key, after.deleted ? -1 : 1);
  }

  #moveLease(key: string, from: bigint, to: bigint): void {
    if (from === to) return;
    if (from) {
      const keys = this.#leased.get(from);
      keys?.delete(key);
      if (keys?.size === 0) this.#leased.delete(from);
    }
    if (!to) return;
    const keys = this.#leased.get(to);
    if (keys) keys.add(key);
    else this.#leased.set(to, new Set([key]));
  }
}
