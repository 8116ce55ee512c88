import type { Signal } from '../../shared/messages.ts';
import type { Memory } from './memory.ts';
import { type Probe, probeKey } from './probe.ts';
import { type Settling, settle, unsettled } from './thresholds.ts';
import { ok, type Verdict } from './verdict.ts';

/** What a board must know of the node. */
export interface BoardIdentity {
  node: string;
  bootId: string;
}

/** A signal before it is sent: the publisher counts the messages. */
export type Measured = Omit<Signal, 'seq'>;

/** What one result did to the board. */
export interface BoardChange {
  signal: Measured;
  /** Whether status or reason changed: then it is published at once. */
  changed: boolean;
}

/** The checks of which a first failure must not make a node Impaired before they were ever healthy. */
const graced = new Set(['local.api', 'local.cni']);

/** After this time without a newer message a signal is stale; three times the usual time between two. */
const defaultTtlMs = 15_000;

/**
 * The current signal of every check. It takes the results of the probes, applies their thresholds, and keeps `since`, also
 * over a restart of the prober within one boot. No clock and no I/O: time comes in with the result.
 */
export class Board {
  readonly #identity: BoardIdentity;
  readonly #memory: Memory;
  readonly #settling = new Map<string, Settling>();
  readonly #signals = new Map<string, Measured>();
  /** When the run of failures began that may become a verdict. */
  readonly #firstFailureMs = new Map<string, number>();

  constructor(identity: BoardIdentity, memory: Memory) {
    this.#identity = identity;
    this.#memory = memory;
  }

  /** All signals that have a verdict, in the order of their first one. */
  signals(): Measured[] {
    return [...this.#signals.values()];
  }

  /** What must be written down for the next start. */
  memory(): Memory {
    return this.#memory;
  }

  /**
   * Takes the result of a run.
   * @param atMs wall clock, milliseconds since the Unix epoch
   * @returns null while too few results are in for a first verdict
   */
  result(probe: Probe, verdict: Verdict, atMs: number): BoardChange | null {
    const key = probeKey(probe);
    const before = this.#settling.get(key) ?? unsettled(this.#remembered(key));
    const after = settle(before, verdict, probe);
    this.#settling.set(key, after);
    const onsetMs = this.#onset(key, verdict, atMs);
    // Until the thresholds are met the last verdict stays, and so does what was measured for it.
    if (after.settled !== verdict) return this.#stillValid(key);
    return this.record(probe, verdict, atMs, defaultTtlMs, onsetMs);
  }

  /**
   * Takes a verdict that is damped already (the beat's) as it is.
   * @param onsetMs when the status began, if it is a new one
   */
  record(
    probe: Pick<Probe, 'area' | 'check' | 'severity'>,
    verdict: Verdict,
    atMs: number,
    ttlMs = defaultTtlMs,
    onsetMs = atMs,
  ): BoardChange {
    const key = probeKey(probe);
    const last = this.#signals.get(key);
    const at = new Date(atMs).toISOString();
    const signal: Measured = {
      v: 1,
      node: this.#identity.node,
      area: probe.area,
      check: probe.check,
      status: verdict.status,
      since: this.#since(key, verdict, onsetMs),
      at,
      ttl_ms: ttlMs,
      reason: verdict.reason,
      severity: probe.severity,
      boot_id: this.#identity.bootId,
      value: { ...verdict.value, ...this.#everHealthy(key, verdict) },
    };
    this.#signals.set(key, signal);
    const changed = last?.status !== signal.status || last.reason !== signal.reason;
    if (changed) this.#remember(key, signal);
    return { signal, changed };
  }

  /** What counts so far, unconfirmed by this result: `at` stays, so that a run of failures that has begun is not dated later. */
  #stillValid(key: string): BoardChange | null {
    const signal = this.#signals.get(key);
    return signal ? { signal, changed: false } : null;
  }

  #remembered(key: string): Verdict | null {
    const check = this.#memory.checks[key];
    if (!check || check.status === 'unknown') return null;
    return { ...ok(), status: check.status, reason: check.reason };
  }

  #since(key: string, verdict: Verdict, onsetMs: number): string {
    const check = this.#memory.checks[key];
    return check?.status === verdict.status ? check.since : new Date(onsetMs).toISOString();
  }

  /** A failure begins with the first of its run, not with the one that meets the threshold: incidents are told apart by it. */
  #onset(key: string, { status }: Verdict, atMs: number): number {
    const onsetMs = status === 'failed' ? (this.#firstFailureMs.get(key) ?? atMs) : atMs;
    if (status === 'failed') this.#firstFailureMs.set(key, onsetMs);
    else this.#firstFailureMs.delete(key);
    return onsetMs;
  }

  #remember(key: string, { status, since, reason }: Measured): void {
    this.#memory.checks[key] = { status, since, reason };
  }

  #everHealthy(key: string, verdict: Verdict): { ever_healthy?: boolean } {
    if (!graced.has(key)) return {};
    const known = this.#memory.ever_healthy.includes(key);
    if (!known && verdict.status === 'ok') this.#memory.ever_healthy.push(key);
    return { ever_healthy: known || verdict.status === 'ok' };
  }
}
