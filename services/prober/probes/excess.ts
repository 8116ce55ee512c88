import type { Severity } from '../probe.ts';
import { failed, type Verdict, warning } from '../verdict.ts';

/**
 * The verdict on a measure beyond its only threshold: a warning, unless the configuration calls the check fatal, then a
 * failure.
 */
export function excess(severity: Severity, reason: string, value: Record<string, unknown>): Verdict {
  return severity === 'fatal' ? failed(reason, value) : warning(reason, value);
}
