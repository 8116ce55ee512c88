import type { ChildProcess } from 'node:child_process';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';

/** Time from the end of one monitor to the start of the next, in milliseconds. */
const respawnMs = 5_000;
/** Changes within this time are one: a node that starts pods makes interfaces by the dozen. */
const coalesceMs = 5;

/**
 * Hears from the kernel (rtnetlink, by way of `ip monitor link`) that some interface changed, so that lost carrier is seen
 * in milliseconds and not at the next poll. What changed is left to the probe that reads sysfs. Where there is no `ip`
 * (iproute2), the poll alone must do.
 */
export class LinkMonitor {
  readonly #pokes = new Set<() => void>();
  #child: ChildProcess | null = null;
  #respawn: NodeJS.Timeout | null = null;
  #pending: NodeJS.Timeout | null = null;

  /**
   * @param poke called after any change of any interface
   * @returns what ends that; with the last one the monitor ends
   */
  attach(poke: () => void): () => void {
    this.#pokes.add(poke);
    if (this.#pokes.size === 1) this.#start();
    return () => {
      this.#pokes.delete(poke);
      if (this.#pokes.size === 0) this.#stop();
    };
  }

  #start(): void {
    const child = spawnTethered('ip', ['monitor', 'link'], {
      deathSignal: 'KILL',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#child = child;
    child.stdout?.on('data', () => this.#changed());
    // Without the program there is an `error` and no `exit`.
    child.on('error', () => this.#again());
    child.on('exit', () => this.#again());
  }

  #stop(): void {
    this.#child?.kill();
    if (this.#respawn) clearTimeout(this.#respawn);
    if (this.#pending) clearTimeout(this.#pending);
  }

  #changed(): void {
    if (this.#pending) return;
    this.#pending = setTimeout(() => {
      this.#pending = null;
      for (const poke of this.#pokes) poke();
    }, coalesceMs);
  }

  #again(): void {
    if (this.#pokes.size === 0) return;
    this.#respawn = setTimeout(() => this.#start(), respawnMs);
  }
}
