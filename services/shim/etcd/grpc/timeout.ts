/** Milliseconds of each unit of `grpc-timeout`. */
const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};
/** A timer of Node runs at once when it is longer. */
const timerMsMax = 2 ** 31 - 1;

/**
 * Reads `grpc-timeout` (grpc/doc/PROTOCOL-HTTP2.md): up to 8 digits and a unit. Returns whole milliseconds, rounded up, as
 * long as a timer can be at most; null when it is malformed.
 */
export function parseTimeout(text: string): number | null {
  const unit = unitMs[text.charAt(text.length - 1)];
  if (unit === undefined || !/^\d{1,8}.$/.test(text)) return null;
  return Math.min(Math.ceil(Number(text.slice(0, -1)) * unit), timerMsMax);
}
