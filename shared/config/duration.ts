import { z } from 'zod';

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/**
 * Reads a duration as Kubernetes and Go write it (`500ms`, `1.5s`, `1h30m`), into milliseconds.
 * @throws RangeError when the text is no duration
 */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((part) => part[0]).join('') !== text) {
    throw new RangeError(`"${text}" is not a duration such as 500ms, 5s or 1m30s`);
  }
  return parts.reduce((sum, part) => sum + Number(part[1]) * unitMs[part[2] as keyof typeof unitMs], 0);
}

/** A duration in the configuration: written as text, read as milliseconds, within `minMs` and `maxMs`. */
export function duration(minMs: number, maxMs: number) {
  return z
    .string()
    .regex(/^(\d+(\.\d+)?(ms|s|m|h))+$/, 'expected a duration such as 500ms, 5s or 1m30s')
    .transform(parseDuration)
    .refine((ms) => ms >= minMs && ms <= maxMs, `expected a duration from ${minMs}ms to ${maxMs}ms`);
}
