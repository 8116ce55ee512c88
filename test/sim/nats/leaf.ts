import type { Appointment, Scheduler } from '../clock/scheduler.ts';
import { type Network, type NodeName, nodeNames, peerOf, TcpDirection } from '../network.ts';
import type { Envelope } from './message.ts';
import type { SimulatedServer } from './server.ts';

/** `ping_interval` and `ping_max` of the servers, and how often the follower's dials (shared/nats-server/config.ts). */
const pingIntervalMs = 250;
const pingMax = 2;
const dialMs = 100;
/** TCP's first SYN is sent again after this. */
const synRetryMs = 1_000;

/** One end of a leaf connection. */
interface End {
  up: boolean;
  outstanding: number;
  send: TcpDirection;
  pinging: Appointment | null;
}

/** The leaf link: the follower's server dials the leader's, and both end it when pings are not answered. */
export class LeafLink {
  readonly #scheduler: Scheduler;
  readonly #network: Network;
  readonly #servers: Record<NodeName, SimulatedServer>;
  #ends: Record<NodeName, End> | null = null;
  #dialing: Appointment | null = null;

  constructor(scheduler: Scheduler, network: Network, servers: Record<NodeName, SimulatedServer>) {
    this.#scheduler = scheduler;
    this.#network = network;
    this.#servers = servers;
    this.#dial();
  }

  #dial(afterMs = dialMs): void {
    this.#dialing?.cancel();
    this.#dialing = this.#scheduler.after(afterMs, null, () => {
      const bothUp = nodeNames.every((node) => this.#isRunning(node));
      if (!bothUp || this.#ends) this.#dial();
      else if (!this.#network.passes('node-b') || !this.#network.passes('node-a')) this.#dial(synRetryMs);
      else this.#scheduler.after(this.#network.latencyMs() * 4, null, () => this.#connect());
    });
  }

  #isRunning(node: NodeName): boolean {
    const { process } = this.#servers[node];
    return process.alive && process.pausedUntilMs <= this.#scheduler.nowMs;
  }

  #connect(): void {
    if (this.#ends || !nodeNames.every((node) => this.#servers[node].isUp)) {
      this.#dial();
      return;
    }
    const end = (node: NodeName): End => ({
      up: true,
      outstanding: 0,
      send: new TcpDirection(this.#network, this.#scheduler, node),
      pinging: null,
    });
    const ends = { 'node-a': end('node-a'), 'node-b': end('node-b') };
    this.#ends = ends;
    for (const node of nodeNames) {
      this.#servers[node].leaf = (message) => this.#send(ends, node, (peer) => peerTakes(peer, message));
      this.#servers[node].process.onDeath(() => this.#close(ends, node));
      this.#ping(ends, node);
    }
    for (const node of nodeNames) this.#servers[node].leafChanged();
  }

  #send(ends: Record<NodeName, End>, from: NodeName, take: (server: SimulatedServer) => void): void {
    const to = peerOf(from);
    ends[from].send.send(() => {
      if (!ends[to].up) return;
      const server = this.#servers[to];
      // A server that is stopped finds it in its socket.
      this.#scheduler.after(0, server.process, () => {
        if (!ends[to].up) return;
        ends[to].outstanding = 0;
        take(server);
      });
    });
  }

  #ping(ends: Record<NodeName, End>, node: NodeName): void {
    const end = ends[node];
    end.pinging = this.#scheduler.after(pingIntervalMs, this.#servers[node].process, () => {
      if (!end.up) return;
      if (end.outstanding >= pingMax) {
        this.#close(ends, node);
        return;
      }
      end.outstanding++;
      this.#send(ends, node, () => this.#send(ends, peerOf(node), () => undefined));
      this.#ping(ends, node);
    });
  }

  /** This end is closed; the other one learns of it if the packet passes, or by its pings. */
  #close(ends: Record<NodeName, End>, node: NodeName): void {
    const end = ends[node];
    if (!end.up) return;
    end.up = false;
    end.send.close();
    end.pinging?.cancel();
    this.#servers[node].leaf = null;
    const peer = peerOf(node);
    if (ends[peer].up) this.#network.datagram(node, () => this.#close(ends, peer));
    else if (this.#ends === ends) {
      this.#ends = null;
      this.#dial();
    }
  }
}

function peerTakes(server: SimulatedServer, message: Envelope): void {
  if (message.subject.startsWith('$JSC.R.')) server.resetAnswered(message);
  else server.receive(message, 'leaf');
}
