import { availableParallelism, loadavg } from 'node:os';
import type { Severity } from '../probe.ts';
import { ok, type Verdict } from '../verdict.ts';
import { excess } from './excess.ts';

export interface CpuReading {
  /** Average number of tasks that run or wait, over one minute. */
  load1: number;
  cores: number;
}

export function readCpu(): CpuReading {
  return { load1: loadavg()[0] ?? 0, cores: availableParallelism() };
}

/** Judges the load for each core. */
export function judgeCpu(
  { load1, cores }: CpuReading,
  warningLoadPerCore: number,
  severity: Severity,
): Verdict {
  const perCore = load1 / cores;
  const value = { load_1m: round2(load1), cores, load_per_core: round2(perCore) };
  if (perCore <= warningLoadPerCore) return ok(value);
  return excess(severity, `CPU load above ${warningLoadPerCore} per core`, value);
}

function round2(number: number): number {
  return Math.round(number * 100) / 100;
}
