import type { KeyEntry } from './version.ts';

/** A chunk is split when it holds this many keys. */
const chunkKeysMax = 512;

interface Chunk {
  entries: KeyEntry[];
  /** How many of the entries exist at the newest revision. */
  live: number;
}

/**
 * The keys in order, in chunks that know how many live keys they hold: counting a range walks chunks, not keys, which a
 * paged list of Kubernetes does at each page.
 */
export class KeyIndex {
  readonly #byKey = new Map<string, KeyEntry>();
  readonly #chunks: Chunk[] = [];

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): KeyEntry | undefined {
    return this.#byKey.get(key);
  }

  /** Adds a key that is not there yet. */
  insert(entry: KeyEntry): void {
    this.#byKey.set(entry.key, entry);
    const at = this.#chunkFor(entry.key);
    const chunk = this.#chunks[at];
    if (!chunk) {
      this.#chunks.push({ entries: [entry], live: entry.live ? 1 : 0 });
      return;
    }
    chunk.entries.splice(lowerBound(chunk.entries, entry.key), 0, entry);
    if (entry.live) chunk.live++;
    if (chunk.entries.length > chunkKeysMax) this.#split(at, chunk);
  }

  /** Takes a key out, once its last version has gone. It must not be live. */
  remove(entry: KeyEntry): void {
    this.#byKey.delete(entry.key);
    const at = this.#chunkFor(entry.key);
    const chunk = this.#chunks[at] as Chunk;
    chunk.entries.splice(lowerBound(chunk.entries, entry.key), 1);
    if (chunk.entries.length === 0) this.#chunks.splice(at, 1);
  }

  /** Says that a key came to life (1) or died (-1) at the newest revision. */
  adjustLive(key: string, by: 1 | -1): void {
    (this.#chunks[this.#chunkFor(key)] as Chunk).live += by;
  }

  /**
   * Visits the entries from `start` up to, not including, `end` (undefined: no end), in order, dead ones included, for as
   * long as `visit` returns true. A callback, since a generator costs more than all the rest of a long list.
   */
  walk(start: string, end: string | undefined, visit: (entry: KeyEntry) => boolean): void {
    for (let at = this.#chunkFor(start); at < this.#chunks.length; at++) {
      const { entries } = this.#chunks[at] as Chunk;
      const last = entries[entries.length - 1] as KeyEntry;
      const isWhole = end === undefined || last.key < end;
      const to = isWhole ? entries.length : lowerBound(entries, end);
      for (let i = lowerBound(entries, start); i < to; i++) if (!visit(entries[i] as KeyEntry)) return;
      if (!isWhole) return;
    }
  }

  /** How many keys from `start` up to `end` are live at the newest revision. */
  countLive(start: string, end: string | undefined): number {
    let count = 0;
    for (let at = this.#chunkFor(start); at < this.#chunks.length; at++) {
      const { entries, live } = this.#chunks[at] as Chunk;
      const first = entries[0] as KeyEntry;
      const last = entries[entries.length - 1] as KeyEntry;
      if (end !== undefined && first.key >= end) break;
      if (first.key >= start && (end === undefined || last.key < end)) {
        count += live;
        continue;
      }
      const to = end === undefined ? entries.length : lowerBound(entries, end);
      for (let i = lowerBound(entries, start); i < to; i++) if ((entries[i] as KeyEntry).live) count++;
    }
    return count;
  }

  /** The first chunk whose last key is not before `key`; the last chunk when there is none. */
  #chunkFor(key: string): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { entries } = this.#chunks[middle] as Chunk;
      if ((entries[entries.length - 1] as KeyEntry).key < key) low = middle + 1;
      else high = middle;
    }
    return Math.max(low, 0);
  }

  #split(at: number, chunk: Chunk): void {
    const upper = chunk.entries.splice(chunk.entries.length >>> 1);
    const live = upper.reduce((sum, entry) => sum + (entry.live ? 1 : 0), 0);
    chunk.live -= live;
    this.#chunks.splice(at + 1, 0, { entries: upper, live });
  }
}

/** Index of the first entry whose key is not before `key`. */
function lowerBound(entries: KeyEntry[], key: string): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as KeyEntry).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
