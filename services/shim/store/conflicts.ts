import { type Conflict, type ConflictEnd, conflictBytes } from '../log/record.ts';

/**
 * How many conflicts are kept, and how many bytes of them: they are in memory on both nodes, and stated again at each
 * cleaning of the log. Beyond that the routine ones go first, then the oldest.
 */
export const conflictsMax = 1_000;
export const conflictBytesMax = 8 * 1024 * 1024;

/** The conflicts that nobody has ended, oldest first. */
export class Conflicts implements Iterable<Conflict> {
  readonly #byId = new Map<string, Conflict>();
  #bytes = 0;
  #evicted = 0;

  get size(): number {
    return this.#byId.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many had to go because there were too many, as far as the log tells. */
  get evicted(): number {
    return this.#evicted;
  }

  /** How many are not routine: those that a person should look at. */
  get forPeople(): number {
    let count = 0;
    for (const { routine } of this.#byId.values()) if (!routine) count++;
    return count;
  }

  [Symbol.iterator](): Iterator<Conflict> {
    return this.#byId.values();
  }

  get(id: string): Conflict | undefined {
    return this.#byId.get(id);
  }

  /**
   * Takes a conflict in. One that is known is stated again, or found again with a later change: the later one counts. Nothing
   * of the message that it came in is held on to.
   */
  add(conflict: Conflict): void {
    const known = this.#byId.get(conflict.id);
    if (known) this.#bytes -= conflictBytes(known);
    const copy = (side: Conflict['leader']) => ({ ...side, value: Buffer.from(side.value) });
    this.#byId.set(conflict.id, {
      ...conflict,
      leader: copy(conflict.leader),
      follower: copy(conflict.follower),
    });
    this.#bytes += conflictBytes(conflict);
  }

  /** Ends a conflict. Returns it, or undefined when it was ended before. */
  end(id: string, how: ConflictEnd): Conflict | undefined {
    const ended = this.#byId.get(id);
    if (!ended) return undefined;
    if (how === 'evicted') this.#evicted++;
    this.#byId.delete(id);
    this.#bytes -= conflictBytes(ended);
    return ended;
  }

  /** The conflict that has to go while there are too many; undefined when there are not. */
  surplus(): Conflict | undefined {
    if (this.size <= conflictsMax && this.#bytes <= conflictBytesMax) return undefined;
    let oldest: Conflict | undefined;
    for (const conflict of this.#byId.values()) {
      if (conflict.routine) return conflict;
      oldest ??= conflict;
    }
    return oldest;
  }
}
