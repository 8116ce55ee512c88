import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Severity } from '../probe.ts';
import { ok, unknown, type Verdict } from '../verdict.ts';
import { excess } from './excess.ts';

export interface MemoryReading {
  /** Text of `/proc/meminfo`. */
  meminfo: string;
  /** Text of `/proc/pressure/memory`; null where the kernel has no PSI. */
  pressure: string | null;
}

export interface MemoryLimits {
  warningAvailablePercent: number;
  warningPressurePercent: number;
}

/** Reads the kernel's memory figures. */
export function readMemory(procRoot = '/proc'): MemoryReading {
  return { meminfo: readFileSync(join(procRoot, 'meminfo'), 'utf8'), pressure: readPressure(procRoot) };
}

function readPressure(procRoot: string): string | null {
  try {
    return readFileSync(join(procRoot, 'pressure', 'memory'), 'utf8');
  } catch {
    return null;
  }
}

/** Judges memory: what is available, and the share of time in which some task waits for memory (PSI `some avg10`). */
export function judgeMemory(reading: MemoryReading, limits: MemoryLimits, severity: Severity): Verdict {
  const total = kibibytes(reading.meminfo, 'MemTotal');
  const available = kibibytes(reading.meminfo, 'MemAvailable');
  if (total === null || available === null || total === 0) {
    return unknown('memory: /proc/meminfo has no MemTotal and MemAvailable');
  }
  const percent = (available / total) * 100;
  const pressure = someAvg10(reading.pressure);
  const value = {
    available_bytes: available * 1024,
    total_bytes: total * 1024,
    available_percent: Math.round(percent * 10) / 10,
    pressure_some_avg10: pressure,
  };
  if (percent < limits.warningAvailablePercent) {
    return excess(severity, `less than ${limits.warningAvailablePercent} % of memory available`, value);
  }
  if (pressure !== null && pressure > limits.warningPressurePercent) {
    return excess(severity, `memory pressure above ${limits.warningPressurePercent} %`, value);
  }
  return ok(value);
}

function kibibytes(meminfo: string, field: string): number | null {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(meminfo);
  return match ? Number(match[1]) : null;
}

function someAvg10(pressure: string | null): number | null {
  const match = /^some avg10=(\d+(?:\.\d+)?)/m.exec(pressure ?? '');
  return match ? Number(match[1]) : null;
}
