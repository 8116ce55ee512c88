/** A wall clock that is this far off has been set: the difference is taken over. In milliseconds. */
const stepMs = 500;

/**
 * The clock of the state machine: milliseconds since the Unix epoch as of the start of the process, and from there on
 * monotonic. A wall clock that is set must not make a prober silent, nor a time never pass.
 */
export class MonotonicClock {
  #offsetMs = 0;

  readonly nowMs = (): number => Math.round(performance.timeOrigin + performance.now());

  /** A time of this clock as people's clocks show it now. It does not waver between two settings of the wall clock. */
  wallMs(ms: number): number {
    const offsetMs = Date.now() - this.nowMs();
    if (Math.abs(offsetMs - this.#offsetMs) > stepMs) this.#offsetMs = offsetMs;
    return ms + this.#offsetMs;
  }
}
