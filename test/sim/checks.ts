import { decodeRecord } from '../../services/shim/log/record.ts';
import { readKeyValue } from '../../services/shim/store/key-value.ts';
import type { NodeState } from '../../shared/node.ts';
import type { SimulatedStream, StoredMessage } from './nats/stream.ts';
import { type NodeName, peerOf } from './network.ts';

/** An invariant does not hold. The text says what was seen. */
export interface Violation {
  invariant: string;
  atMs: number;
  text: string;
}

export interface ChecksWorld {
  nowMs: () => number;
  say: (who: string, text: string) => void;
  stream: (node: NodeName, name: string) => SimulatedStream | undefined;
}

interface NodeView {
  state: NodeState | null;
  /** Since when it is LeaderRX or Impaired without a break. */
  restrictedSinceMs: number | null;
}

const isRestricted = (state: NodeState | null) => state === 'LeaderRX' || state === 'Impaired';
const isLog = (stream: SimulatedStream) => stream.config.name.startsWith('TWONODE_LOG_');

/** Watches everything that happens in the simulated world, and finds what must never be. */
export class Checks {
  readonly #world: ChecksWorld;
  readonly violations: Violation[] = [];
  readonly #nodes: Record<NodeName, NodeView> = {
    'node-a': { state: null, restrictedSinceMs: null },
    'node-b': { state: null, restrictedSinceMs: null },
  };
  /** Values that stand, or stood, in a log or in a record of conflicts: `key=value`. */
  readonly logged = new Set<string>();
  readonly beats: { node: NodeName; status: string; atMs: number }[] = [];
  readonly states: { node: NodeName; state: NodeState | null; atMs: number }[] = [];

  constructor(world: ChecksWorld) {
    this.#world = world;
  }

  broken(invariant: string, text: string): void {
    this.violations.push({ invariant, atMs: this.#world.nowMs(), text });
    this.#world.say('VIOLATION', `${invariant}: ${text}`);
  }

  /** A node enters a state; null: its shim is gone. */
  state(node: NodeName, state: NodeState | null): void {
    const view = this.#nodes[node];
    const now = this.#world.nowMs();
    view.state = state;
    view.restrictedSinceMs = isRestricted(state) ? (view.restrictedSinceMs ?? now) : null;
    this.states.push({ node, state, atMs: now });
    if (this.#nodes['node-a'].state === 'Leader' && this.#nodes['node-b'].state === 'Leader')
      this.broken('I1', 'both nodes are Leader');
  }

  restrictedSinceMs(node: NodeName): number | null {
    return this.#nodes[node].restrictedSinceMs;
  }

  stateOf(node: NodeName): NodeState | null {
    return this.#nodes[node].state;
  }

  /** A prober finds its peer silent, or hears it. */
  beat(node: NodeName, status: string): void {
    this.beats.push({ node, status, atMs: this.#world.nowMs() });
  }

  exited(node: NodeName, error: Error): void {
    // A failed start is tried again by the supervisor; that it never succeeds shows at the end.
    this.#world.say(node, `the shim ended: ${error.message}`);
  }

  /** A message is stored: in a mirror it must be the one that the leader's log has there (I5). */
  stored(node: NodeName, stream: SimulatedStream, message: StoredMessage): void {
    if (!isLog(stream)) return;
    const origin = this.#world.stream(peerOf(node), stream.config.name);
    if (stream.config.mirror && origin) this.#isPrefix(node, stream, origin, message);
    if (!stream.config.mirror) this.#note(message.data);
  }

  #isPrefix(node: NodeName, mirror: SimulatedStream, origin: SimulatedStream, message: StoredMessage): void {
    for (const sequence of [message.sequence - 1, message.sequence]) {
      const mine = mirror.messages.get(sequence);
      const theirs = origin.messages.get(sequence);
      if (mine && theirs && !mine.data.equals(theirs.data))
        this.broken('I5', `record ${sequence} of the mirror on ${node} is not the one of the log`);
    }
  }

  /** Notes every value that a record of a log holds. */
  #note(data: Buffer): void {
    for (const entry of decodeRecord(data, undefined).entries) {
      if (entry.kind === 'revision') for (const change of entry.changes) this.#noteKeyValue(change);
      if (entry.kind === 'version') this.#noteKeyValue(entry.version);
      if (entry.kind !== 'conflict') continue;
      const { key, leader, follower } = entry.conflict;
      this.logged.add(`${key}=${follower === null ? null : Buffer.from(follower).toString()}`);
      if (leader) this.#noteKeyValue(leader);
    }
  }

  #noteKeyValue(bytes: Uint8Array): void {
    const kv = readKeyValue(Buffer.from(bytes));
    this.logged.add(`${kv.key}=${kv.version === 0 ? null : kv.value.toString()}`);
  }

  /** Records of a log are about to be removed: the other node must have those that are not stated again (I6). */
  removing(node: NodeName, stream: SimulatedStream, before: number | 'all'): void {
    if (!isLog(stream) || before !== 'all') return;
    const peer = this.#world.stream(peerOf(node), stream.config.name);
    for (const [sequence, { data }] of stream.messages) {
      if (peer && sequence < peer.firstSequence) continue;
      if (peer?.messages.get(sequence)?.data.equals(data)) continue;
      this.broken(
        'I6',
        `${node} removes record ${sequence} of ${stream.config.name}, which its peer has not`,
      );
      return;
    }
  }
}
