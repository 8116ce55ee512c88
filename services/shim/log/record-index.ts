/**
 * Which record of a log goes up to which revision: tells where the log may be cut. It holds two numbers for each record
 * that is not cleaned away.
 */
export class RecordIndex {
  #sequences: number[] = [];
  #lastRevisions: number[] = [];

  add(sequence: number, lastRevision: number): void {
    this.#sequences.push(sequence);
    this.#lastRevisions.push(lastRevision);
  }

  /** The first record that holds a revision above `revision`, or the newest record: what is before it may be cleaned. */
  cut(revision: number): number {
    let low = 0;
    let high = this.#sequences.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lastRevisions[middle] as number) <= revision) low = middle + 1;
      else high = middle;
    }
    return this.#sequences[low] ?? 1;
  }

  /** Forgets the records before `sequence`. */
  forget(sequence: number): void {
    let gone = 0;
    while (gone < this.#sequences.length && (this.#sequences[gone] as number) < sequence) gone++;
    this.#sequences = this.#sequences.slice(gone);
    this.#lastRevisions = this.#lastRevisions.slice(gone);
  }
}
