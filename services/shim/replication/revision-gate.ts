import { etcdErrors } from '../etcd/errors.ts';

interface Waiting {
  revision: number;
  open: () => void;
  fail: () => void;
}

/** Lets callers through when the mirror has reached the revision that they need. */
export class RevisionGate {
  readonly #waiting = new Set<Waiting>();
  #reached = 0;

  /** Resolves when `revision` is reached. @throws EtcdError after `limitMs`, or at {@link giveUp} */
  wait(revision: number, limitMs: number): Promise<void> {
    if (this.#reached >= revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiting = {
        revision,
        open: () => {
          clearTimeout(timer);
          resolve();
        },
        fail: () => {
          clearTimeout(timer);
          reject(etcdErrors.connectionLost());
        },
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(waiting);
        reject(etcdErrors.timeout());
      }, limitMs);
      this.#waiting.add(waiting);
    });
  }

  /** Readers may see everything up to `revision`. */
  reached(revision: number): void {
    this.#reached = Math.max(this.#reached, revision);
    for (const waiting of this.#waiting) {
      if (waiting.revision > this.#reached) continue;
      this.#waiting.delete(waiting);
      waiting.open();
    }
  }

  /**
   * Nobody waits any longer: this node serves alone from now on. Who waited for a write must not be told of a revision that
   * this node does not hold; who waited to read asks again.
   */
  giveUp(): void {
    for (const waiting of this.#waiting) waiting.fail();
    this.#waiting.clear();
  }
}
