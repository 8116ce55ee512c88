/** The clocks of one machine: a step of the wall clock is seen by all its processes, its drift by all their timers. */
export interface MachineClock {
  /** The wall clock minus true time, in milliseconds since the Unix epoch. */
  wallOffsetMs: number;
  /** Seconds of this machine for each true second. */
  rate: number;
}

/** A process on one of the simulated machines: it can die, and it can be stopped for a while. */
export class SimulatedProcess {
  readonly name: string;
  readonly clock: MachineClock;
  readonly #startedMs: number;
  readonly #startedWallMs: number;
  #alive = true;
  pausedUntilMs = 0;
  readonly #onDeath: (() => void)[] = [];

  /** @param nowMs true time */
  constructor(name: string, clock: MachineClock, nowMs: number) {
    this.name = name;
    this.clock = clock;
    this.#startedMs = nowMs;
    this.#startedWallMs = this.wallMs(nowMs);
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** What `Date.now()` says in this process. */
  wallMs(nowMs: number): number {
    return Math.floor(this.clock.wallOffsetMs + nowMs * this.clock.rate);
  }

  /** What `performance.now()` says in this process. */
  monotonicMs(nowMs: number): number {
    return (nowMs - this.#startedMs) * this.clock.rate;
  }

  /** `performance.timeOrigin`. */
  get timeOriginMs(): number {
    return this.#startedWallMs;
  }

  onDeath(callback: () => void): void {
    this.#onDeath.push(callback);
  }

  /** SIGKILL: nothing of it runs any more. */
  kill(): void {
    if (!this.#alive) return;
    this.#alive = false;
    for (const callback of this.#onDeath.splice(0)) callback();
  }
}
