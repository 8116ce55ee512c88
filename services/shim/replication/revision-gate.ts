import { etcdErrors } from '../etcd/errors.ts';

interface Waiting {
  revision: number;
  open: () => void;
}

/** Lets callers through when the mirror has reached the revision that they need. */
export class RevisionGate {
  readonly #waiting = new Set<Waiting>();
  #reached = 0;

  /** Resolves when `revision` is reached. @throws EtcdError after `limitMs` */
  wait(revision: number, limitMs: number): Promise<void> {
    if (this.#reached >= revision) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const waiting = {
        revision,
        open: () => {
          clearTimeout(timer);
          resolve();
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

  /** Lets all through: this node serves alone from now on. */
  release(): void {
    for (const waiting of this.#waiting) waiting.open();
    this.#waiting.clear();
  }
}
