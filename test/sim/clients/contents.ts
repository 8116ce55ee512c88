import { crc32 } from 'node:zlib';
import type { KeyValue } from '../../../services/shim/store/key-value.ts';

type Kv = Pick<KeyValue, 'key' | 'value' | 'modRevision' | 'createRevision' | 'version'>;

/** A copy of the store as a client has it, with a sum that does not depend on the order of its keys. */
export class Contents {
  readonly #entries = new Map<string, { kv: Kv; hash: number }>();
  #sum = 0;

  constructor(kvs: readonly Kv[] = []) {
    for (const kv of kvs) this.put(kv);
  }

  put(kv: Kv): void {
    this.delete(kv.key);
    const text = `${kv.key} ${kv.createRevision} ${kv.modRevision} ${kv.version} ${kv.value}`;
    const hash = crc32(text);
    this.#entries.set(kv.key, { kv, hash });
    this.#sum += hash;
  }

  delete(key: string): void {
    const known = this.#entries.get(key);
    if (!known) return;
    this.#entries.delete(key);
    this.#sum -= known.hash;
  }

  /** The key's mod revision; undefined when it is not there. */
  modRevision(key: string): number | undefined {
    return this.#entries.get(key)?.kv.modRevision;
  }

  /** Equal contents have equal digests. */
  get digest(): string {
    return `${this.#entries.size} keys, ${this.#sum}`;
  }

  /** What one has and the other has not, for people. */
  differenceFrom(other: Contents): string {
    const lines: string[] = [];
    for (const [key, { kv, hash }] of this.#entries) {
      if (other.#entries.get(key)?.hash !== hash)
        lines.push(`+${key}@${kv.modRevision}=${kv.value.toString().slice(0, 40)}`);
    }
    for (const [key, { kv, hash }] of other.#entries) {
      if (this.#entries.get(key)?.hash !== hash)
        lines.push(`-${key}@${kv.modRevision}=${kv.value.toString().slice(0, 40)}`);
    }
    return lines.slice(0, 10).join(' ');
  }

  copy(): Contents {
    return new Contents([...this.#entries.values()].map(({ kv }) => kv));
  }
}
