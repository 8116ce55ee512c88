import type { Verdict } from './verdict.ts';

/** How many results in a row it takes, as the kubelet's probes have it. Both are >= 1. */
export interface Thresholds {
  failureThreshold: number;
  successThreshold: number;
}

/** What is remembered of one check between its runs. */
export interface Settling {
  /** What counts now; null before anything was settled. */
  settled: Verdict | null;
  /** Failures in a row, while something else counts. */
  failures: number;
  /** Successes in a row, while a failure counts. */
  successes: number;
}

/** @param settled what counted before a restart of the prober within the same boot; else null */
export function unsettled(settled: Verdict | null = null): Settling {
  return { settled, failures: 0, successes: 0 };
}

/**
 * Takes one more result. A failure counts after `failureThreshold` of them in a row; after a failure a success counts after
 * `successThreshold`. `warning` is a success with a note. `unknown` counts at once: it says that nothing was measured.
 */
export function settle(state: Settling, verdict: Verdict, thresholds: Thresholds): Settling {
  if (verdict.status === 'unknown') return unsettled(verdict);
  if (verdict.status === 'failed') {
    const failures = state.failures + 1;
    const counts = state.settled?.status === 'failed' || failures >= thresholds.failureThreshold;
    return counts ? unsettled(verdict) : { ...state, failures, successes: 0 };
  }
  const successes = state.successes + 1;
  const counts = state.settled?.status !== 'failed' || successes >= thresholds.successThreshold;
  return counts ? unsettled(verdict) : { ...state, failures: 0, successes };
}
