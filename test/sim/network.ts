import type { Appointment, Scheduler } from './clock/scheduler.ts';
import type { Random } from './random.ts';

/** A node of the pair. */
export type NodeName = 'node-a' | 'node-b';

export const nodeNames: readonly NodeName[] = ['node-a', 'node-b'];

export function peerOf(node: NodeName): NodeName {
  return node === 'node-a' ? 'node-b' : 'node-a';
}

/** What a packet takes while nothing is wrong, and the most that comes on top, in milliseconds. */
export const quickLink = { delayMs: 1, jitterMs: 1 };

/** TCP's first retransmission, and the longest wait between two, in milliseconds. */
const retransmitMs = 200;
const retransmitMaxMs = 5_000;

/** The link between the nodes, each direction for itself: named by the node that sends. */
export class Network {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  /** How many faults cut what this sender sends. */
  readonly #cuts: Record<NodeName, number> = { 'node-a': 0, 'node-b': 0 };
  /** Chances that a packet of this sender is lost, each for itself. */
  readonly #losses: Record<NodeName, number[]> = { 'node-a': [], 'node-b': [] };
  delayMs = quickLink.delayMs;
  /** Longest addition to the delay: packets overtake each other. */
  jitterMs = quickLink.jitterMs;

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /** Nothing that this node sends arrives. @returns ends that */
  cut(from: NodeName): () => void {
    this.#cuts[from]++;
    return () => {
      this.#cuts[from]--;
    };
  }

  /** A part of what this node sends is lost, at random. @returns ends that */
  lose(from: NodeName, ratio: number): () => void {
    this.#losses[from].push(ratio);
    return () => {
      this.#losses[from].splice(this.#losses[from].indexOf(ratio), 1);
    };
  }

  isCut(from: NodeName): boolean {
    return this.#cuts[from] > 0;
  }

  /** A datagram: it comes once, or not. */
  datagram(from: NodeName, arrive: () => void): void {
    if (!this.passes(from)) return;
    this.#scheduler.after(this.latencyMs(), null, () => {
      if (!this.isCut(from)) arrive();
    });
  }

  /** Whether one packet of this sender, sent now, arrives. */
  passes(from: NodeName): boolean {
    return !this.isCut(from) && !this.#losses[from].some((ratio) => this.#random.chance(ratio));
  }

  latencyMs(): number {
    return this.delayMs + this.#random.next() * this.jitterMs;
  }
}

/** One direction of a TCP connection: in order, each segment sent again until it passes, and those behind it wait. */
export class TcpDirection {
  readonly #network: Network;
  readonly #scheduler: Scheduler;
  readonly #from: NodeName;
  #waiting: { arrive: () => void; sentMs: number }[] = [];
  #attempt: Appointment | null = null;
  #backoffMs = retransmitMs;

  constructor(network: Network, scheduler: Scheduler, from: NodeName) {
    this.#network = network;
    this.#scheduler = scheduler;
    this.#from = from;
  }

  send(arrive: () => void): void {
    this.#waiting.push({ arrive, sentMs: this.#scheduler.nowMs });
    if (this.#attempt === null) this.#try(this.#network.latencyMs());
  }

  /** What is on its way is lost with the connection. */
  close(): void {
    this.#waiting = [];
    this.#attempt?.cancel();
    this.#attempt = null;
  }

  #try(afterMs: number): void {
    this.#attempt = this.#scheduler.after(afterMs, null, () => {
      this.#attempt = null;
      const head = this.#waiting[0];
      if (!head) return;
      if (!this.#network.passes(this.#from)) {
        this.#try(this.#backoffMs);
        this.#backoffMs = Math.min(this.#backoffMs * 2, retransmitMaxMs);
        return;
      }
      this.#backoffMs = retransmitMs;
      this.#waiting.shift();
      const next = this.#waiting[0];
      if (next) {
        const dueMs = next.sentMs + this.#network.latencyMs() - this.#scheduler.nowMs;
        this.#try(Math.max(dueMs, 0));
      }
      head.arrive();
    });
  }
}
