import type { NodeName } from './network.ts';

/** A verdict, as the prober logs it; with the status `lacks`, what it said at its start that a check lacks. */
export interface LoggedVerdict {
  node: NodeName;
  check: string;
  status: string;
  reason: string;
}

interface Wait {
  wanted: (verdict: LoggedVerdict) => boolean;
  resolve: (verdict: LoggedVerdict) => void;
}

/** What the probers of a site log, and waiting for it. */
export class VerdictLog {
  readonly all: LoggedVerdict[] = [];
  readonly #last = new Map<string, LoggedVerdict>();
  readonly #waits = new Set<Wait>();

  /** Takes a line of a prober's log. */
  take(line: string): void {
    if (!line.startsWith('{')) return;
    const logged = JSON.parse(line) as LoggedVerdict & { msg: string; lacks?: string };
    if (logged.lacks !== undefined) this.#wake({ ...logged, status: 'lacks', reason: logged.lacks });
    if (logged.msg !== 'verdict') return;
    this.all.push(logged);
    this.#last.set(`${logged.node} ${logged.check}`, logged);
    this.#wake(logged);
  }

  /** What a check of a node was when it was last logged. */
  last(node: NodeName, check: string): LoggedVerdict | undefined {
    return this.#last.get(`${node} ${check}`);
  }

  /**
   * The next time that a check of a node gets this status.
   * @throws Error when that does not happen within `limitMs`
   */
  next(node: NodeName, check: string, status: string, limitMs = 15_000): Promise<LoggedVerdict> {
    return new Promise((resolve, reject) => {
      const wait: Wait = {
        wanted: (verdict) => verdict.node === node && verdict.check === check && verdict.status === status,
        resolve: (verdict) => {
          clearTimeout(limit);
          resolve(verdict);
        },
      };
      const limit = setTimeout(() => {
        this.#waits.delete(wait);
        reject(new Error(`${node} ${check}: not ${status} within ${limitMs} ms`));
      }, limitMs);
      this.#waits.add(wait);
    });
  }

  #wake(verdict: LoggedVerdict): void {
    for (const wait of [...this.#waits]) {
      if (!wait.wanted(verdict)) continue;
      this.#waits.delete(wait);
      wait.resolve(verdict);
    }
  }

  /** Resolves when a check of a node is well, at once when it is. */
  async untilOk(node: NodeName, check: string, limitMs = 30_000): Promise<void> {
    if (this.last(node, check)?.status !== 'ok') await this.next(node, check, 'ok', limitMs);
  }
}
