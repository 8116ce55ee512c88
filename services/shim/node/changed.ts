import { etcdErrors } from '../etcd/errors.ts';

/** Wakes whoever waits for something to change. */
export class Changed {
  readonly #waiting = new Set<() => void>();

  /** Resolves at the next {@link signal}. @throws EtcdError `request timed out` after `limitMs` */
  wait(limitMs: number): Promise<void> {
    if (limitMs <= 0) return Promise.reject(etcdErrors.timeout());
    return new Promise((resolve, reject) => {
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(wake);
        reject(etcdErrors.timeout());
      }, limitMs);
      this.#waiting.add(wake);
    });
  }

  /**
   * Resolves at the next {@link signal}, or after `stepMs`: for who looks again anyway.
   * @param deadline on the clock of `performance.now()`
   * @throws EtcdError `request timed out` when the deadline is over
   */
  async waitStep(stepMs: number, deadline: number): Promise<void> {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) throw etcdErrors.timeout();
    await this.wait(Math.min(stepMs, leftMs)).catch(() => undefined);
  }

  signal(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
