import type { SignalStatus } from '../../shared/messages.ts';

/** What one run of a probe found. */
export interface Verdict {
  status: SignalStatus;
  /** One line for people; empty when there is nothing to say. It must not change while nothing changes. */
  reason: string;
  /** What was measured. */
  value: Record<string, unknown>;
}

type Value = Record<string, unknown>;

export const ok = (value: Value = {}, reason = ''): Verdict => ({ status: 'ok', reason, value });
export const warning = (reason: string, value: Value = {}): Verdict => ({ status: 'warning', reason, value });
export const failed = (reason: string, value: Value = {}): Verdict => ({ status: 'failed', reason, value });
export const unknown = (reason: string, value: Value = {}): Verdict => ({ status: 'unknown', reason, value });

/** The code of a system error (`ENOENT`), or its message: for reasons. */
export function faultOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message ?? String(error);
}
