/** Where a log is cut: what stands before it is stated again, then removed. */
export interface LogCut {
  /** The first record that stays. */
  sequence: number;
  /** The newest revision before it: a change stands before the cut if it is not newer, unless it was stated again since. */
  revision: number;
}

/** For each record of a log that is not cleaned away, up to which revision it goes, and its size: tells where to cut. */
export class RecordIndex {
  /** Sequence of the oldest record; the others follow without a gap. */
  #first = 1;
  #lastRevisions: number[] = [];
  #bytes: number[] = [];

  /** @param bytes size of the record */
  add(sequence: number, lastRevision: number, bytes: number): void {
    if (this.#bytes.length === 0) this.#first = sequence;
    this.#lastRevisions.push(lastRevision);
    this.#bytes.push(bytes);
  }

  /**
   * The next cut: behind as many of the oldest records as are `bytesMax` together, or one, and hold no revision from
   * `revision` on. Null when there is none.
   */
  cut(revision: number, bytesMax: number): LogCut | null {
    let bytes = 0;
    let count = 0;
    for (; count < this.#bytes.length; count++) {
      bytes += this.#bytes[count] as number;
      if ((this.#lastRevisions[count] as number) >= revision || (count > 0 && bytes > bytesMax)) break;
    }
    if (count === 0) return null;
    return { sequence: this.#first + count, revision: this.#lastRevisions[count - 1] as number };
  }

  /** Sequence of the first record that goes up to this revision; null when none does. */
  reaching(revision: number): number | null {
    let low = 0;
    let high = this.#lastRevisions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lastRevisions[middle] as number) < revision) low = middle + 1;
      else high = middle;
    }
    return low < this.#lastRevisions.length ? this.#first + low : null;
  }

  /** Forgets the records before `sequence`. */
  forget(sequence: number): void {
    const gone = Math.min(Math.max(sequence - this.#first, 0), this.#bytes.length);
    this.#first += gone;
    this.#lastRevisions = this.#lastRevisions.slice(gone);
    this.#bytes = this.#bytes.slice(gone);
  }
}
