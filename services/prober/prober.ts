import type { Registry } from 'prom-client';
import type { TwoNodeConfiguration } from '../../shared/config/schema.ts';
import type { Logger } from '../../shared/logger.ts';
import type { Signal, StateMessage } from '../../shared/messages.ts';
import { nodePaths } from '../../shared/paths.ts';
import type { LinkVerdict } from './beat/link.ts';
import type { BeatThreadData } from './beat/protocol.ts';
import { type BeatThread, startBeatThread } from './beat/thread.ts';
import { Board, type BoardChange } from './board.ts';
import { probesOf } from './catalog.ts';
import { type Memory, MemoryFile } from './memory.ts';
import { ProberMetrics } from './metrics.ts';
import { type Probe, probeKey } from './probe.ts';
import { Publisher, refreshSpacing, type Send } from './publisher.ts';
import { lacksOf } from './rights.ts';
import { type ProbeResult, type Schedule, startSchedule } from './schedule.ts';

export interface ProberParts {
  config: TwoNodeConfiguration;
  node: string;
  bootId: string;
  memory: Memory;
  registry: Registry;
  logger: Logger;
  send: Send;
  beat: BeatThreadData;
}

const beatCheck = { area: 'eastwest', check: 'beat', severity: 'fatal' } as const;
/** The beat comes every second; three missing make it stale. */
const beatTtlMs = 3_000;

/** A node's prober: the schedule of its probes and the thread of its beat on one side, the board and its publisher on the other. */
export class Prober {
  readonly #parts: ProberParts;
  readonly #probes: Probe[];
  readonly #board: Board;
  readonly #publisher: Publisher;
  readonly #metrics: ProberMetrics;
  readonly #memoryFile: MemoryFile;
  #schedule: Schedule | null = null;
  #beat: BeatThread | null = null;
  #refresh: NodeJS.Timeout | null = null;
  #peerApi: string | null = null;
  #socketFault: string | null = null;

  constructor(parts: ProberParts) {
    this.#parts = parts;
    this.#probes = probesOf(parts.config, parts.node, () => this.#peerApi);
    this.#board = new Board({ node: parts.node, bootId: parts.bootId }, parts.memory);
    this.#publisher = new Publisher(parts.send);
    this.#metrics = new ProberMetrics(parts.registry, () => this.#board.signals());
    this.#memoryFile = new MemoryFile(nodePaths(parts.config, parts.node).proberFile, (error) =>
      parts.logger.warn({ err: error }, 'cannot remember the verdicts for the next start'),
    );
  }

  start(): void {
    this.#beat = startBeatThread(this.#parts.beat, {
      onVerdict: (verdict) => this.#onBeat(verdict),
      onSocket: (fault) => this.#onSocket(fault),
      // Without its beat a prober is worth nothing: its supervisor starts it again.
      onDeath: (error) => {
        throw error;
      },
    });
    void this.#sayLacks();
    this.#schedule = startSchedule(this.#probes, (result) => this.#onResult(result));
    this.#refresh = setInterval(() => this.#publishOldest(), refreshSpacing);
  }

  /** Tells the peer that this node restarts within `restartingMs`, or leaves for long (null), and stops. */
  async stop(restartingMs: number | null): Promise<void> {
    this.#schedule?.stop();
    if (this.#refresh) clearInterval(this.#refresh);
    await this.#beat?.farewell(restartingMs);
    await this.#memoryFile.settled();
  }

  /** The names of the checks, as `local.nic`. */
  checks(): string[] {
    return [...this.#probes, beatCheck].map(probeKey);
  }

  /** Every signal as it is now. */
  current(): Signal[] {
    return this.#board.signals().map((signal) => this.#publisher.numbered(signal));
  }

  /** Publishes every signal as it is now: nats-server is there (again). */
  publishAll(): void {
    for (const signal of this.#board.signals()) this.#publisher.publish(signal, performance.now());
  }

  tellState(state: StateMessage): void {
    this.#beat?.tellState(state);
  }

  /** What is wrong with the prober itself; null when nothing is. */
  fault(): string | null {
    return this.#socketFault === null ? null : `no beats: ${this.#socketFault}`;
  }

  /** Said at the start, and not at each run: the verdicts of what cannot be measured say it again. */
  async #sayLacks(): Promise<void> {
    for (const { check, lacks } of await lacksOf(this.#probes)) {
      this.#parts.logger.warn({ check, lacks }, 'a probe lacks something on this machine');
    }
  }

  #onResult(result: ProbeResult): void {
    this.#metrics.result(result);
    const change = this.#board.result(result.probe, result.verdict, Date.now());
    if (!change?.changed) return;
    this.#announce(change);
    if (probeKey(result.probe) === 'local.api') this.#beat?.tellApi(change.signal.status);
  }

  #onBeat(verdict: LinkVerdict): void {
    this.#peerApi = verdict.status === 'ok' ? verdict.value.peer_api : null;
    this.#metrics.link(verdict.value);
    const change = this.#board.record(beatCheck, verdict, Date.now(), beatTtlMs);
    if (change.changed) this.#announce(change);
    else this.#publisher.publish(change.signal, performance.now());
  }

  #onSocket(fault: string | null): void {
    this.#socketFault = fault;
    if (fault) this.#parts.logger.error({ fault }, 'cannot listen for beats, trying again');
    else this.#parts.logger.info('listening for beats');
  }

  #announce({ signal }: BoardChange): void {
    const { logger } = this.#parts;
    const level = signal.status === 'ok' ? 'info' : 'warn';
    logger[level]({ check: probeKey(signal), status: signal.status, reason: signal.reason }, 'verdict');
    this.#metrics.signal(signal);
    this.#publisher.publish(signal, performance.now());
    this.#memoryFile.keep(this.#board.memory());
  }

  #publishOldest(): void {
    const levels = this.#board.signals().filter((signal) => probeKey(signal) !== probeKey(beatCheck));
    this.#publisher.refresh(levels, performance.now());
  }
}
