import type { Version } from './version.ts';

/**
 * All versions since the last compaction in the order of their revisions: what a watch replays, what a compaction walks,
 * and what tells how a range changed since an older revision.
 */
export class RevisionIndex {
  #versions: Version[] = [];
  /** Versions before this place are compacted; they are cut off in bulk. */
  #start = 0;

  get length(): number {
    return this.#versions.length - this.#start;
  }

  append(version: Version): void {
    this.#versions.push(version);
  }

  /** The newest version, or undefined. */
  get last(): Version | undefined {
    return this.length > 0 ? this.#versions[this.#versions.length - 1] : undefined;
  }

  /** Takes the newest version back. */
  pop(): Version | undefined {
    return this.length > 0 ? this.#versions.pop() : undefined;
  }

  /** Takes the oldest version out if its revision is at most `revision`. */
  shift(revision: number): Version | undefined {
    const first = this.#versions[this.#start];
    if (!first || first.modRevision > revision) return undefined;
    this.#start++;
    if (this.#start > 4096 && this.#start * 2 > this.#versions.length) {
      this.#versions = this.#versions.slice(this.#start);
      this.#start = 0;
    }
    return first;
  }

  /** How many versions are newer than `revision`. */
  countAfter(revision: number): number {
    return this.#versions.length - this.#upperBound(revision);
  }

  /** The versions with `after` < revision <= `upTo`, in order. */
  *between(after: number, upTo: number): Generator<Version> {
    for (let i = this.#upperBound(after); i < this.#versions.length; i++) {
      const version = this.#versions[i] as Version;
      if (version.modRevision > upTo) return;
      yield version;
    }
  }

  #upperBound(revision: number): number {
    let low = this.#start;
    let high = this.#versions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#versions[middle] as Version).modRevision <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
