import type { LogCut } from '../log/record-index.ts';
import type { Slab } from './slabs.ts';

/**
 * One version of a key: what a Put or a Delete made of it at one revision. Its `mvccpb.KeyValue` is kept encoded, since an
 * answer is then a concatenation of bytes.
 */
export class Version {
  readonly entry: KeyEntry;
  readonly modRevision: number;
  readonly createRevision: number;
  /** Number of changes since the key was created, from 1; 0 is a deletion. */
  readonly version: number;
  /** The etcd lease that the key is attached to; 0n is none. */
  readonly lease: bigint;
  /**
   * At most the sequence of the record that states it last, once the log has stated it again; until then 0: it stands in
   * the record of its revision.
   */
  statedAt = 0;
  /** Where the encoded KeyValue lies. */
  slab: Slab;
  offset: number;
  readonly length: number;

  constructor(
    entry: KeyEntry,
    fields: { modRevision: number; createRevision: number; version: number; lease: bigint },
    place: { slab: Slab; offset: number; length: number },
  ) {
    this.entry = entry;
    this.modRevision = fields.modRevision;
    this.createRevision = fields.createRevision;
    this.version = fields.version;
    this.lease = fields.lease;
    this.slab = place.slab;
    this.offset = place.offset;
    this.length = place.length;
  }

  /** Whether it stands in the log only before a cut. */
  standsBefore(cut: LogCut): boolean {
    return this.statedAt === 0 ? this.modRevision <= cut.revision : this.statedAt < cut.sequence;
  }

  get deleted(): boolean {
    return this.version === 0;
  }

  /** The encoded KeyValue. It is a view: copy it before the next change. */
  get bytes(): Buffer {
    return this.slab.bytes.subarray(this.offset, this.offset + this.length);
  }
}

/** A key with its versions since the last compaction, oldest first. */
export class KeyEntry {
  /** The key's bytes, one character each (latin1): such strings sort as the bytes do. */
  readonly key: string;
  readonly versions: Version[] = [];

  constructor(key: string) {
    this.key = key;
  }

  get newest(): Version | undefined {
    return this.versions[this.versions.length - 1];
  }

  /** Whether the key exists at the newest applied revision. */
  get live(): boolean {
    const newest = this.newest;
    return newest !== undefined && !newest.deleted;
  }

  /** The version that stands at `revision`, a deletion included; undefined when the key is younger. */
  at(revision: number): Version | undefined {
    const { versions } = this;
    let low = 0;
    let high = versions.length;
    const newest = versions[high - 1];
    if (newest && newest.modRevision <= revision) return newest;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((versions[middle] as Version).modRevision <= revision) low = middle + 1;
      else high = middle;
    }
    return versions[low - 1];
  }

  /** The version that readers of `revision` see; undefined when the key does not exist there. */
  liveAt(revision: number): Version | undefined {
    const version = this.at(revision);
    return version && !version.deleted ? version : undefined;
  }
}
