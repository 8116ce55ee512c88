import { randomUUID } from 'node:crypto';
import { BeatLink, type Instant } from '../../../services/prober/beat/link.ts';
import { nothingToSay } from '../../../services/prober/beat/word.ts';
import { Board, type BoardChange } from '../../../services/prober/board.ts';
import { encodeMemory, readMemory } from '../../../services/prober/memory.ts';
import { Publisher, refreshSpacing } from '../../../services/prober/publisher.ts';
import { failed, ok, type Verdict } from '../../../services/prober/verdict.ts';
import type { TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import { nodePair } from '../../../shared/config/schema.ts';
import { writeDurably } from '../../../shared/durable-file.ts';
import { decodeMessage, stateSchema } from '../../../shared/messages.ts';
import { nodePaths } from '../../../shared/paths.ts';
import { type HealthArea, subjects } from '../../../shared/subjects.ts';
import type { SimulatedProcess } from '../clock/process.ts';
import type { SimulatedConnection } from '../nats/connection.ts';
import { type NodeName, peerOf } from '../network.ts';

const beatCheck = { area: 'eastwest', check: 'beat', severity: 'fatal' } as const;
const beatTtlMs = 3_000;
const levelMs = 1_000;
/** How often a node that stops says so, and how far apart, in milliseconds (services/prober/beat/worker.ts). */
const farewells = 8;
const farewellSpacingMs = 10;
/** Runs of the beat's timer that judge nothing yet, in spans of `downAfter`. */
const settleSpans = 2;

export interface ProberWorld {
  config: TwoNodeConfiguration;
  node: NodeName;
  bootId: string;
  process: SimulatedProcess;
  connection: SimulatedConnection;
  /** Sends a datagram to the peer's prober. */
  send: (datagram: Buffer) => void;
  /** Called when the peer is found silent, or heard again. */
  onBeat: (status: Verdict['status']) => void;
}

/**
 * A node's prober: the real failure detector, board and publisher. What its other checks would find is said by the
 * simulation, which also takes the time that they need.
 */
export class SimulatedProber {
  readonly #world: ProberWorld;
  readonly #board: Board;
  readonly #link: BeatLink;
  readonly #publisher: Publisher;
  readonly #startedMs = performance.now();
  #word = nothingToSay;
  #wordUntilMs = 0;
  #posted = '';
  #postedMs = 0;
  #beating: NodeJS.Timeout;
  #status: Verdict['status'] = 'unknown';
  #leaving = false;

  /** Runs in the prober's process. */
  constructor(world: ProberWorld, checks: ReadonlyMap<string, string>) {
    this.#world = world;
    const { config, node, bootId, connection } = world;
    const { beat } = config.probes;
    const memory = readMemory(nodePaths(config, node).proberFile, bootId);
    const resumed = memory.checks['eastwest.beat']?.status === 'ok';
    this.#board = new Board({ node, bootId }, memory);
    const identity = {
      self: node,
      peer: peerOf(node),
      bootId,
      run: randomUUID(),
      secret: 'simulated',
      configDigest: 'same',
      role: nodePair(config, node).self.role,
      cluster: config.cluster,
      settings: beat,
    };
    this.#link = new BeatLink(identity, this.#startedMs, resumed);
    this.#publisher = new Publisher((subject, data) => {
      connection.publish(subject, data);
      return true;
    });
    this.#listen();
    this.#beating = setTimeout(() => this.#beat(), this.#link.pace);
    setInterval(() => this.#publisher.refresh(this.#levels(), performance.now()), refreshSpacing);
    for (const [check, failure] of checks) this.found(check, failure);
  }

  get process(): SimulatedProcess {
    return this.#world.process;
  }

  #listen(): void {
    const { connection, node } = this.#world;
    connection.subscribe(subjects.state(node), {
      callback: (_error, message) => {
        const said = decodeMessage(stateSchema, message.data);
        if (!said.ok) return;
        const { state, reason, since, epoch, ttl_ms } = said.value;
        this.#wordUntilMs = performance.now() + ttl_ms;
        this.#say({ ...this.#word, state, stateReason: reason, stateSinceMs: Date.parse(since), epoch });
      },
    });
    connection.subscribe(subjects.status(node, 'prober'), {
      callback: (_error, message) => {
        const signals = this.#board.signals().map((signal) => this.#publisher.numbered(signal));
        message.respond(JSON.stringify({ v: 1, node, signals }));
      },
    });
  }

  /** A check looked. @param failure what it found, empty when nothing */
  found(check: string, failure: string): void {
    const [area, name = ''] = check.split('.') as [HealthArea, string];
    const verdict = failure === '' ? ok() : failed(failure);
    const probe = { area, check: name, severity: 'fatal' } as const;
    const change = this.#board.record(probe, verdict, Date.now());
    if (!change.changed) return;
    this.#announce(change);
    if (check === 'local.api') this.#say({ ...this.#word, api: change.signal.status });
  }

  /** A datagram came in. */
  receive(datagram: Buffer): void {
    const instant = this.#instant();
    const admitted = this.#link.receive(datagram, instant);
    if (admitted && !this.#leaving && this.#link.answers(instant.nowMs)) this.#beat();
  }

  /** SIGTERM: tells the peer that this node restarts within so long, or leaves for long (null), and ends. */
  stop(restartingMs: number | null): void {
    clearTimeout(this.#beating);
    this.#leaving = true;
    this.#say({ ...this.#word, restartingMs, leaving: restartingMs === null });
    this.#sayFarewell(farewells);
  }

  #sayFarewell(left: number): void {
    this.#world.send(this.#link.next(this.#instant()));
    if (left > 1) setTimeout(() => this.#sayFarewell(left - 1), farewellSpacingMs);
    else this.process.kill();
  }

  #say(word: typeof nothingToSay): void {
    this.#word = word;
    this.#link.say(word);
  }

  #instant(): Instant {
    return { nowMs: performance.now(), wallMs: Date.now() };
  }

  /** As the beat's thread does it (services/prober/beat/worker.ts). */
  #beat(): void {
    const nowMs = performance.now();
    if (this.#word.state !== null && nowMs > this.#wordUntilMs)
      this.#say({ ...nothingToSay, api: this.#word.api });
    this.#world.send(this.#link.next(this.#instant()));
    this.#link.tick(nowMs);
    clearTimeout(this.#beating);
    this.#beating = setTimeout(() => this.#beat(), this.#link.pace);
    const verdict = this.#link.verdict(nowMs);
    const { downAfter } = this.#world.config.probes.beat;
    if (verdict.status === 'unknown' && nowMs - this.#startedMs < settleSpans * downAfter) return;
    const { value } = verdict;
    const essence = `${verdict.status} ${verdict.reason} ${value.peer_state} ${value.peer_reason} ${value.peer_epoch}`;
    if (essence === this.#posted && nowMs - this.#postedMs < levelMs) return;
    this.#posted = essence;
    this.#postedMs = nowMs;
    const change = this.#board.record(beatCheck, verdict, Date.now(), beatTtlMs);
    if (verdict.status !== this.#status) {
      this.#status = verdict.status;
      this.#world.onBeat(verdict.status);
    }
    if (change.changed) this.#announce(change);
    else this.#publisher.publish(change.signal, nowMs);
  }

  #levels() {
    return this.#board.signals().filter(({ check }) => check !== beatCheck.check);
  }

  #announce({ signal }: BoardChange): void {
    const { config, node } = this.#world;
    this.#publisher.publish(signal, performance.now());
    try {
      writeDurably(nodePaths(config, node).proberFile, encodeMemory(this.#board.memory()));
    } catch {
      // A full disk: the next change is written again, with all that is known.
    }
  }
}
