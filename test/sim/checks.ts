import { decodeRecord } from '../../services/shim/log/record.ts';
import { readKeyValue } from '../../services/shim/store/key-value.ts';
import type { NodeState } from '../../shared/node.ts';
import type { SimulatedStream, StoredMessage } from './nats/stream.ts';
import { type NodeName, nodeNames, peerOf } from './network.ts';

/** An invariant does not hold. The text says what was seen. */
export interface Violation {
  invariant: string;
  atMs: number;
  text: string;
}

export interface ChecksWorld {
  nowMs: () => number;
  say: (who: string, text: string) => void;
  streams: (node: NodeName) => ReadonlyMap<string, SimulatedStream>;
  /** A prober that heard its peer finds it silent. */
  onAlarm: (node: NodeName) => void;
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
  /** Values in records that were cleaned away. */
  readonly #cleaned = new Set<string>();
  readonly #beats: Record<NodeName, string | null> = { 'node-a': null, 'node-b': null };
  /** Values that only a disk held which was lost. */
  readonly excused = new Set<string>();

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
    const before = this.#beats[node];
    this.#beats[node] = status;
    if (before === 'ok' && status === 'failed') this.#world.onAlarm(node);
  }

  /** What a node's prober thinks of its peer; null before its first verdict. */
  beatOf(node: NodeName): string | null {
    return this.#beats[node];
  }

  exited(node: NodeName, error: Error): void {
    // A failed start is tried again by the supervisor; that it never succeeds shows at the end.
    this.#world.say(node, `the shim ended: ${error.message}`);
  }

  /** A message is stored: in a mirror it must be the one that the leader's log has there (I5). */
  stored(node: NodeName, stream: SimulatedStream, message: StoredMessage): void {
    if (!isLog(stream)) return;
    const { mirror } = stream.config;
    const origin = mirror && this.#world.streams(peerOf(node)).get(mirror.name);
    if (origin) this.#isPrefix(node, stream, origin, message);
  }

  #isPrefix(node: NodeName, mirror: SimulatedStream, origin: SimulatedStream, message: StoredMessage): void {
    for (const sequence of [message.sequence - 1, message.sequence]) {
      const mine = mirror.messages.get(sequence);
      const theirs = origin.messages.get(sequence);
      if (mine && theirs && !mine.data.equals(theirs.data))
        this.broken('I5', `record ${sequence} of the mirror on ${node} is not the one of the log`);
    }
  }

  /** Every value that stands in the leader's log or its record of conflicts, or was cleaned away from there. */
  logged(): Set<string> {
    const values = new Set(this.#cleaned);
    for (const stream of this.#world.streams('node-a').values()) {
      if (!isLog(stream)) continue;
      for (const { data } of stream.messages.values()) for (const value of valuesOf(data)) values.add(value);
    }
    return values;
  }

  /** A disk loses records of a stream behind a sequence: what its peer does not hold may be gone. */
  lost(stream: SimulatedStream, behind: number): void {
    const others = this.#otherLogs(stream);
    for (const { sequence, data } of stream.messages.values()) {
      if (sequence <= behind || others.some(({ messages }) => messages.get(sequence)?.data.equals(data)))
        continue;
      for (const value of valuesOf(data)) this.excused.add(value);
    }
  }

  /** Records of a log are about to be removed: the other node must have those that are not stated again (I6). */
  removing(node: NodeName, stream: SimulatedStream, before: number | 'all'): void {
    if (!isLog(stream)) return;
    if (before !== 'all') {
      this.#noteCleaned(stream, before);
      return;
    }
    const others = this.#otherLogs(stream);
    for (const [sequence, { data }] of stream.messages) {
      // Where records before it are cleaned away, what they held is stated again.
      const isKept = others.some(
        ({ firstSequence, messages }) =>
          sequence < firstSequence || messages.get(sequence)?.data.equals(data),
      );
      if (isKept) continue;
      this.broken('I6', `${node} removes record ${sequence} of ${stream.config.name}, which nobody else has`);
      return;
    }
  }

  #noteCleaned(stream: SimulatedStream, before: number): void {
    for (const { sequence, data } of stream.messages.values()) {
      if (sequence < before) for (const value of valuesOf(data)) this.#cleaned.add(value);
    }
  }

  /** All copies of the log, on both nodes, but this one. */
  #otherLogs(stream: SimulatedStream): SimulatedStream[] {
    const all = nodeNames.flatMap((node) => [...this.#world.streams(node).values()]);
    return all.filter((other) => other !== stream && isLog(other) && other.messages.size > 0);
  }
}

/** Every value that a record of a log holds, with its key. */
function valuesOf(data: Buffer): string[] {
  return decodeRecord(data, undefined).entries.flatMap((entry) => {
    if (entry.kind === 'revision') return entry.changes.map(keyValueOf);
    if (entry.kind === 'version') return [keyValueOf(entry.version)];
    if (entry.kind !== 'conflict') return [];
    const { key, leader, follower } = entry.conflict;
    return [leader, follower].map(
      ({ deleted, value }) => `${key}=${deleted ? null : Buffer.from(value).toString()}`,
    );
  });
}

function keyValueOf(bytes: Uint8Array): string {
  const { key, version, value } = readKeyValue(Buffer.from(bytes));
  return `${key}=${version === 0 ? null : value.toString()}`;
}
