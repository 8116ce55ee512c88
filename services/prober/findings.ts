import type { Severity } from './probe.ts';
import type { Verdict } from './verdict.ts';

/** One line of the table of `twonode probe`. */
export interface Finding extends Verdict {
  check: string;
  /** What was looked at. */
  how: string;
  /** What a person does about a failure. */
  advice: string;
  severity: Severity;
  /** What the probe lacks on this machine; null when nothing. */
  lacks: string | null;
  durationMs: number;
}

/** The exit status for some findings: 0 all well, 1 warnings, 2 a fatal failure, 3 something fatal is unknown. */
export function verdictOf(findings: Finding[]): number {
  const fatal = findings.filter(({ severity }) => severity === 'fatal');
  if (fatal.some(({ status }) => status === 'failed')) return 2;
  if (fatal.some(({ status }) => status === 'unknown')) return 3;
  return findings.every(({ status }) => status === 'ok') ? 0 : 1;
}

/** The table for a person on site: what was checked, how, the verdict, and below what is not well, what to do. */
export function findingsText(node: string, at: Date, findings: Finding[]): string {
  const width = (column: (finding: Finding) => string, heading: string) =>
    Math.max(heading.length, ...findings.map((finding) => column(finding).length));
  const checkWidth = width(({ check }) => check, 'CHECK');
  const verdictWidth = width(verdictWord, 'VERDICT');
  const howWidth = width(({ how }) => how, 'HOW');
  const row = (check: string, verdict: string, how: string, found: string) =>
    `${check.padEnd(checkWidth)}  ${verdict.padEnd(verdictWidth)}  ${how.padEnd(howWidth)}  ${found}`.trimEnd();
  const rows = findings.flatMap((finding) => {
    const line = row(finding.check, verdictWord(finding), finding.how, finding.reason || figures(finding));
    const advice = finding.status === 'ok' ? [] : [row('', '', `-> ${finding.advice}`, '')];
    const lacks = finding.lacks === null ? [] : [row('', '', `-> this process lacks ${finding.lacks}`, '')];
    return [line, ...advice, ...lacks];
  });
  return [
    `${node} at ${at.toISOString()}`,
    '',
    row('CHECK', 'VERDICT', 'HOW', 'FOUND'),
    ...rows,
    '',
    summary(findings),
  ].join('\n');
}

/** @param indent spaces for each level; 0 for all in one line */
export function findingsJson(node: string, at: Date, findings: Finding[], indent: number): string {
  return JSON.stringify({ v: 1, node, at: at.toISOString(), findings }, null, indent);
}

/** What is not well is in capitals, so that it is found at a glance. */
function verdictWord({ status, severity }: Finding): string {
  if (status === 'ok') return 'ok';
  return status === 'failed' && severity === 'warning' ? 'WARNING' : status.toUpperCase();
}

/** At most four of the measured values, as `free_percent 83, write_ms 0.4`. */
function figures({ value }: Finding): string {
  return Object.entries(value)
    .filter(([, item]) => typeof item === 'number' || (typeof item === 'string' && item.length <= 20))
    .filter(([, item]) => item !== '')
    .slice(0, 4)
    .map(([name, item]) => `${name} ${item}`)
    .join(', ');
}

function summary(findings: Finding[]): string {
  const count = (status: Verdict['status']) => findings.filter((finding) => finding.status === status).length;
  const parts = (['ok', 'warning', 'failed', 'unknown'] as const).map(
    (status) => `${count(status)} ${status}`,
  );
  return parts.filter((part) => !part.startsWith('0 ')).join(', ');
}
