import { type ChildProcess, spawn } from 'node:child_process';

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
  readonly #onChange: () => void;
  #child: ChildProcess | null = null;
  #respawn: NodeJS.Timeout | null = null;
  #pending: NodeJS.Timeout | null = null;
  #stopped = false;

  /** @param onChange called after any change of any interface */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  start(): void {
    const child = spawn('ip', ['monitor', 'link'], { stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    child.stdout.on('data', () => this.#changed());
    // Without the program there is an `error` and no `exit`.
    child.on('error', () => this.#again());
    child.on('exit', () => this.#again());
  }

  stop(): void {
    this.#stopped = true;
    this.#child?.kill();
    if (this.#respawn) clearTimeout(this.#respawn);
    if (this.#pending) clearTimeout(this.#pending);
  }

  #changed(): void {
    if (this.#pending || this.#stopped) return;
    this.#pending = setTimeout(() => {
      this.#pending = null;
      this.#onChange();
    }, coalesceMs);
  }

  #again(): void {
    if (this.#stopped) return;
    this.#respawn = setTimeout(() => this.start(), respawnMs);
  }
}
