import type { Network, NodeName } from './network.ts';
import { nodeNames, peerOf } from './network.ts';
import type { ServiceName, SimulatedMachine } from './node/machine.ts';

/** From real silence to the verdict, and to the state that follows from it, in milliseconds (I7). */
const detectWithinMs = 1_000;
/** What was sent before the silence may be on its way for so long. */
const latencyMaxMs = 100;
/** Without silence for this long before it, a verdict of silence is a false alarm. */
const quietMs = 700;
/** After its own pause or start a node is given this long until it is judged: it takes a prober that was silent for informed 3 s after its first word. */
const ownTroubleMs = 4_000;

export interface SilenceWorld {
  nowMs: () => number;
  network: Network;
  machines: Record<NodeName, SimulatedMachine>;
  broken: (invariant: string, text: string) => void;
  /** What a node's prober thinks of its peer; null before its first verdict. */
  beatOf: (node: NodeName) => string | null;
  stateOf: (node: NodeName) => string | null;
}

interface View {
  /** Since when nothing of the peer can arrive; null while it can. */
  silentSinceMs: number | null;
  /** When the link, or either prober, was last in trouble. */
  troubleMs: number;
  /** When one of this node's own processes was last away. */
  ownTroubleMs: number;
  reported: boolean;
}

/** Knows what is really there, and compares what the nodes find out with it: in time, and only then (I7). */
export class Silence {
  readonly #world: SilenceWorld;
  readonly #views: Record<NodeName, View> = { 'node-a': newView(), 'node-b': newView() };

  constructor(world: SilenceWorld) {
    this.#world = world;
  }

  /** To be called after each event. */
  look(): void {
    for (const node of nodeNames) this.#lookAt(node, this.#views[node]);
  }

  #lookAt(node: NodeName, view: View): void {
    const { network, nowMs } = this.#world;
    const now = nowMs();
    const peer = peerOf(node);
    const isSilent = network.isCut(peer) || !this.#runs(peer, 'prober');
    if (!isSilent) view.reported = false;
    view.silentSinceMs = isSilent ? (view.silentSinceMs ?? now) : null;
    if (isSilent || network.isCut(node)) view.troubleMs = now;
    if (!this.#runs(node, 'prober') || !this.#runs(node, 'shim') || !this.#runs(node, 'nats')) {
      view.ownTroubleMs = now;
      // Its beats name a new run, which the peer must confirm.
      if (!this.#runs(node, 'prober')) view.troubleMs = now;
    }
    this.#isFoundInTime(node, view, now);
  }

  #isFoundInTime(node: NodeName, view: View, now: number): void {
    if (view.silentSinceMs === null || view.reported || now - view.ownTroubleMs < ownTroubleMs) return;
    const silentMs = now - view.silentSinceMs;
    if (silentMs < detectWithinMs + latencyMaxMs) return;
    view.reported = true;
    const { beatOf, stateOf, broken } = this.#world;
    if (beatOf(node) === 'ok')
      broken('I7', `${node} does not see after ${silentMs} ms that its peer is silent`);
    else if (stateOf(node) === 'Follower' && now > this.#world.machines[peerOf(node)].backUntilMs)
      broken('I7', `${node} is Follower after ${silentMs} ms of silence`);
  }

  /** A prober says that its peer is silent. */
  alarm(node: NodeName): void {
    const { troubleMs } = this.#views[node];
    const quiet = this.#world.nowMs() - troubleMs;
    if (quiet > quietMs)
      this.#world.broken('I7', `${node} calls its peer silent, though nothing was wrong for ${quiet} ms`);
  }

  #runs(node: NodeName, service: ServiceName): boolean {
    const machine = this.#world.machines[node];
    const process = service === 'nats' ? machine.server.process : machine[service]?.process;
    return process?.alive === true && process.pausedUntilMs <= this.#world.nowMs();
  }
}

function newView(): View {
  return { silentSinceMs: null, troubleMs: 0, ownTroubleMs: 0, reported: false };
}
