import type { HealthArea } from '../../shared/subjects.ts';
import type { Verdict } from './verdict.ts';

/** What a failure of a check means for the node. */
export type Severity = 'fatal' | 'warning';

/** One check: what runs, how often, and when its verdict counts. */
export interface Probe {
  area: HealthArea;
  check: string;
  severity: Severity;
  /** Milliseconds from the start of one run to the start of the next. */
  interval: number;
  /** Milliseconds after which a run has not answered. */
  timeout: number;
  /** Failures in a row until it counts as failed, >= 1. */
  failureThreshold: number;
  /** Successes in a row until a failed check counts as ok again, >= 1. */
  successThreshold: number;
  /** What is looked at and how, for the table of `twonode probe`. */
  how: string;
  /** What a person does about a failure. */
  advice: string;
  /** What it lacks on this machine (a program, a capability, a permission), in one line; null when nothing. */
  lacks?: () => Promise<string | null>;
  /**
   * Begins to watch for what should make the check run at once, and calls `poke` for it.
   * @returns what ends the watching
   */
  attach?: (poke: () => void) => () => void;
  /** Reads and judges. It may throw, and it may hang: the schedule answers for that. */
  run: () => Promise<Verdict>;
}

/** The name of a check across areas: `local.nic`. */
export function probeKey(probe: Pick<Probe, 'area' | 'check'>): string {
  return `${probe.area}.${probe.check}`;
}
