import type { Signal } from '../../../../shared/messages.ts';

/** What a check finds when it looks. */
export type Condition = Pick<Signal, 'status' | 'severity'> & {
  readonly text: string;
  /** What the prober measured. */
  readonly value: Signal['value'];
};

export const fine: Condition = { status: 'ok', text: '', severity: 'fatal', value: {} };

export function failing(text: string): Condition {
  return { ...fine, status: 'failed', text };
}

export const testPoints = ['gateway', 'wan'];
export const localChecks = ['nic', 'vnic', 'cni', 'api', 'storage', 'datastore'];

/** All checks of a simulated prober. The beat comes last: it makes the verdict. */
export const allChecks = [
  ...[...localChecks, 'cpu', 'memory'].map((name) => `local.${name}`),
  ...testPoints.map((name) => `northsouth.${name}`),
  'eastwest.api',
  'eastwest.beat',
];

/** How long a prober needs to notice that a check became worse or better, in milliseconds. */
const noticeMs: Record<string, { worse: number; better: number }> = {
  'eastwest.beat': { worse: 800, better: 1_000 },
  'eastwest.api': { worse: 3_000, better: 1_000 },
  'local.api': { worse: 3_000, better: 1_000 },
  'local.cni': { worse: 1_000, better: 1_000 },
  'northsouth.gateway': { worse: 2_000, better: 500 },
  'northsouth.wan': { worse: 2_500, better: 500 },
};
const noticeAtOnce = { worse: 100, better: 100 };

interface Probe {
  actual: Condition;
  actualSinceMs: number;
  noticed: Condition;
  noticedSinceMs: number;
  publishedMs: number;
  seq: number;
}

/** For tests: a prober on a simulated clock, which needs its time to notice. */
export class SimulatedProber {
  private readonly probes = new Map<string, Probe>();
  private readonly node: string;
  private readonly bootId: string;

  constructor(node: string, bootId: string) {
    this.node = node;
    this.bootId = bootId;
  }

  /** Looks at one check: a signal when something changed (or `isNews`), and now and then. */
  measure(
    name: string,
    actual: Condition,
    value: Signal['value'],
    isNews: boolean,
    nowMs: number,
  ): Signal | null {
    const probe = this.probes.get(name) ?? newProbe(actual, nowMs);
    this.probes.set(name, probe);
    const levelMs = name === 'eastwest.beat' ? 1_000 : 5_000;
    const isDue = nowMs - probe.publishedMs >= levelMs;
    return notice(name, probe, actual, nowMs) || isNews || isDue
      ? this.signal(name, probe, value, nowMs)
      : null;
  }

  /** All signals, as one who comes late gets them. */
  snapshot(beatValue: Signal['value'], nowMs: number): Signal[] {
    return [...this.probes].map(([name, probe]) => this.signal(name, probe, beatValue, nowMs));
  }

  private signal(name: string, probe: Probe, beatValue: Signal['value'], nowMs: number): Signal {
    const [area, check = ''] = name.split('.') as [Signal['area'], string];
    const { status, text, severity, value } = probe.noticed;
    probe.publishedMs = nowMs;
    return {
      v: 1,
      node: this.node,
      area,
      check,
      status,
      since: new Date(probe.noticedSinceMs).toISOString(),
      at: new Date(nowMs).toISOString(),
      seq: probe.seq++,
      ttl_ms: name === 'eastwest.beat' ? 3_000 : 15_000,
      reason: text,
      severity,
      boot_id: this.bootId,
      value: name === 'eastwest.beat' ? beatValue : value,
    };
  }
}

function newProbe(actual: Condition, nowMs: number): Probe {
  return {
    actual,
    actualSinceMs: nowMs,
    noticed: { ...fine, status: 'unknown' },
    noticedSinceMs: nowMs,
    publishedMs: 0,
    seq: 0,
  };
}

function notice(name: string, probe: Probe, actual: Condition, nowMs: number): boolean {
  if (actual.status !== probe.actual.status || actual.text !== probe.actual.text) {
    probe.actual = actual;
    probe.actualSinceMs = nowMs;
  }
  const delay = noticeMs[name] ?? noticeAtOnce;
  const neededMs = actual.status === 'ok' ? delay.better : delay.worse;
  const same = probe.noticed.status === actual.status && probe.noticed.text === actual.text;
  if (same || nowMs - probe.actualSinceMs < neededMs) return false;
  if (probe.noticed.status !== actual.status) probe.noticedSinceMs = nowMs;
  probe.noticed = actual;
  return true;
}
