import { Gauge, Histogram, type Registry } from 'prom-client';
import { signalStatuses } from '../../shared/messages.ts';
import type { LinkValue } from './beat/link.ts';
import type { Measured } from './board.ts';
import type { ProbeResult } from './schedule.ts';

/** The prober's own metrics. Their labels are bounded by the checks that the configuration names. */
export class ProberMetrics {
  readonly #status: Gauge<'area' | 'check' | 'status'>;
  readonly #duration: Histogram<'area' | 'check'>;
  readonly #rtt: Gauge;
  readonly #loss: Gauge;
  readonly #offset: Gauge;

  /** @param current every signal as it is now, asked at each scrape */
  constructor(registry: Registry, current: () => Measured[]) {
    const registers = [registry];
    addValues(registry, current);
    this.#status = new Gauge({
      name: 'twonode_probe_status',
      help: 'Status of each check: 1 for the current one, 0 for the others.',
      labelNames: ['area', 'check', 'status'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'twonode_probe_duration_seconds',
      help: 'Time that one run of a check took.',
      labelNames: ['area', 'check'],
      buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5],
      registers,
    });
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
    this.#rtt = gauge('twonode_peer_rtt_seconds', 'Average round trip of the beats.');
    this.#loss = gauge('twonode_peer_loss_ratio', 'Beats of the peer lost within the last 10 s, 0 to 1.');
    this.#offset = gauge('twonode_peer_clock_offset_seconds', "The peer's clock minus this node's.");
    addEventLoopLag(registry);
  }

  result({ probe: { area, check }, durationMs }: ProbeResult): void {
    this.#duration.observe({ area, check }, durationMs / 1000);
  }

  signal({ area, check, status }: Measured): void {
    for (const other of signalStatuses) {
      this.#status.set({ area, check, status: other }, other === status ? 1 : 0);
    }
  }

  link({ rtt_ms, loss_percent, clock_offset_ms }: LinkValue): void {
    if (rtt_ms !== null) this.#rtt.set(rtt_ms / 1000);
    if (loss_percent !== null) this.#loss.set(loss_percent / 100);
    if (clock_offset_ms !== null) this.#offset.set(clock_offset_ms / 1000);
  }
}

/**
 * What the probes measured: each number in a signal's `value`, under the name and in the unit that it has there. One of several
 * interfaces is named before its numbers: `eth0.5.carrier_changes`.
 */
function addValues(registry: Registry, current: () => Measured[]): void {
  new Gauge({
    name: 'twonode_probe_value',
    help: 'Each number that a check measured, by its name in the value of its signal; the unit is in the name.',
    labelNames: ['area', 'check', 'name'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { area, check, value } of current()) {
        for (const [name, measured] of numbersIn(value)) this.set({ area, check, name }, measured);
      }
    },
  });
}

function* numbersIn(value: object, path = ''): Generator<[name: string, measured: number]> {
  for (const [key, item] of Object.entries(value) as [string, unknown][]) {
    if (typeof item === 'number') yield [path + key, item];
    else if (Array.isArray(item)) yield* numbersOfInterfaces(item);
    else if (typeof item === 'object' && item !== null) yield* numbersIn(item, `${path}${key}.`);
  }
}

function* numbersOfInterfaces(items: unknown[]): Generator<[name: string, measured: number]> {
  for (const item of items) {
    if (typeof item !== 'object' || item === null || !('interface' in item)) continue;
    yield* numbersIn(item, `${item.interface}.`);
  }
}

/** Time between two looks at the event loop's lag, in milliseconds. */
const lagSampleMs = 1_000;

/** Prober's own sample: the usual one wakes the process a hundred times a second, more than all of its probes. */
function addEventLoopLag(registry: Registry): void {
  let dueMs = performance.now() + lagSampleMs;
  let longestMs = 0;
  setInterval(() => {
    const nowMs = performance.now();
    longestMs = Math.max(longestMs, nowMs - dueMs);
    dueMs = nowMs + lagSampleMs;
  }, lagSampleMs).unref();
  new Gauge({
    name: 'twonode_event_loop_lag_seconds',
    help: 'Longest delay of the event loop of the main thread since the last scrape; the beat has its own.',
    registers: [registry],
    collect() {
      this.set(longestMs / 1000);
      longestMs = 0;
    },
  });
}
