import { BeatLink, type Instant } from '../../services/prober/beat/link.ts';
import { configSchema } from '../../shared/config/schema.ts';
import { installGlobals } from './clock/globals.ts';
import { Scheduler } from './clock/scheduler.ts';
import { type NodeName, nodeNames, peerOf } from './network.ts';
import { Random } from './random.ts';

/** Longest delay of a datagram, in milliseconds: later ones overtake it. */
const latencyMaxMs = 20;
/** Time between two looks at timers and sockets. */
const stepMs = 5;
/** The links find each other before the loss begins. */
const warmUpMs = 5_000;
const hourMs = 3_600_000;

export interface FalseAlarms {
  /** How often a node called its peer silent, though it sent all the time. */
  alarms: number;
  /** Longest time without a beat on either side, in milliseconds. */
  gapMaxMs: number;
}

interface Datagram {
  to: NodeName;
  atMs: number;
  bytes: Buffer;
}

/**
 * Two failure detectors with the product's own settings, and nothing but loss between them: hours of it, in seconds. There
 * are no processes here, only beats and ticks.
 * @param loss part of the datagrams that is lost each way, 0 to 1
 */
export function countFalseAlarms(seed: number, hours: number, loss: number): FalseAlarms {
  const random = new Random(seed);
  const uninstall = installGlobals(new Scheduler(), random.fork());
  try {
    return new LossyPair(random, loss).run(hours * hourMs);
  } finally {
    uninstall();
  }
}

class LossyPair {
  readonly #random: Random;
  readonly #loss: number;
  readonly #settings = beatSettings();
  readonly #links: Record<NodeName, BeatLink> = {
    'node-a': this.#link('node-a'),
    'node-b': this.#link('node-b'),
  };
  readonly #dueMs: Record<NodeName, number> = { 'node-a': 0, 'node-b': 0 };
  readonly #heardMs: Record<NodeName, number> = { 'node-a': 0, 'node-b': 0 };
  #flying: Datagram[] = [];
  #nowMs = 0;
  #gapMaxMs = 0;

  constructor(random: Random, loss: number) {
    this.#random = random;
    this.#loss = loss;
  }

  run(forMs: number): FalseAlarms {
    const wasDown = { 'node-a': true, 'node-b': true };
    let alarms = 0;
    while (this.#nowMs < warmUpMs + forMs) {
      this.#nowMs += stepMs;
      for (const node of nodeNames) {
        if (this.#nowMs >= this.#dueMs[node]) this.#beat(node);
        this.#hear(node);
        const isDown = this.#links[node].gist(this.#nowMs).phase === 'down';
        if (isDown && !wasDown[node]) alarms++;
        wasDown[node] = isDown;
      }
    }
    return { alarms, gapMaxMs: Math.round(this.#gapMaxMs) };
  }

  #beat(node: NodeName): void {
    const link = this.#links[node];
    const bytes = link.next(this.#instant());
    const isLost = this.#nowMs > warmUpMs && this.#random.chance(this.#loss);
    const atMs = this.#nowMs + this.#random.next() * latencyMaxMs;
    if (!isLost) this.#flying.push({ to: peerOf(node), atMs, bytes });
    link.tick(this.#nowMs);
    this.#dueMs[node] = this.#nowMs + link.pace;
  }

  #hear(node: NodeName): void {
    const due = this.#flying.filter(({ to, atMs: at }) => to === node && at <= this.#nowMs);
    if (due.length === 0) return;
    this.#flying = this.#flying.filter((datagram) => !due.includes(datagram));
    const link = this.#links[node];
    for (const datagram of due) {
      if (link.receive(datagram.bytes, this.#instant()) && link.answers(this.#nowMs)) this.#beat(node);
    }
    if (this.#nowMs > warmUpMs) this.#gapMaxMs = Math.max(this.#gapMaxMs, this.#nowMs - this.#heardMs[node]);
    this.#heardMs[node] = this.#nowMs;
  }

  #instant(): Instant {
    return { nowMs: this.#nowMs, wallMs: this.#nowMs };
  }

  #link(self: NodeName): BeatLink {
    const role = self === 'node-a' ? ('leader' as const) : ('follower' as const);
    const configured = { configDigest: '', role, cluster: 'edge-1' };
    const identity = { self, peer: peerOf(self), bootId: self, run: self, secret: 's', ...configured };
    return new BeatLink({ ...identity, settings: this.#settings }, 0, false);
  }
}

/** The product's defaults. */
function beatSettings() {
  const { beat } = configSchema.shape.probes.parse({
    nic: { interface: 'eth0' },
    northSouth: [{ name: 'gateway' }],
  });
  return beat;
}
