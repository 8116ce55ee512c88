import { chainOf, decodeRecord } from '../../services/shim/log/record.ts';
import { readKeyValue } from '../../services/shim/store/key-value.ts';
import { bandSize } from '../../services/shim/store/revision-band.ts';
import type { NodeState } from '../../shared/node.ts';
import { isLeased } from './clients/keys.ts';
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

export const bandOf = (revision: number) => Math.floor(revision / bandSize);
const isRestricted = (state: NodeState | null) => state === 'LeaderRX' || state === 'Impaired';
const isOverlay = (stream: SimulatedStream) => stream.config.name.startsWith('TWONODE_OVERLAY_');
const isLog = (stream: SimulatedStream) => stream.config.name.startsWith('TWONODE_LOG_');

/** Watches everything that happens in the simulated world, and finds what must never be. */
export class Checks {
  readonly #world: ChecksWorld;
  readonly violations: Violation[] = [];
  readonly #nodes: Record<NodeName, NodeView> = {
    'node-a': { state: null, restrictedSinceMs: null },
    'node-b': { state: null, restrictedSinceMs: null },
  };
  /** The overlay that was written in each odd band. */
  readonly #overlays = new Map<number, string>();
  /** Values in records that were cleaned away. */
  readonly #cleaned = new Set<string>();
  readonly #beats: Record<NodeName, string | null> = { 'node-a': null, 'node-b': null };
  /** When a node's disk last lost something; 0: never. */
  readonly #diskLostMs: Record<NodeName, number> = { 'node-a': 0, 'node-b': 0 };
  /** Values of keys in records of the log that the leader's disk has lost: written there, or taken from an overlay. */
  readonly #lostByLeader = new Set<string>();
  /** Such records, by sequence and chain. */
  readonly #recordsLostByLeader = new Set<string>();
  /** Revisions in such records, and when they were lost. */
  readonly #lostAtMs = new Map<number, number>();
  /** When the two last came together. */
  #togetherMs = Number.NEGATIVE_INFINITY;
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
    if (this.isTogether) this.#togetherMs = now;
  }

  /** One leads and the other follows. */
  get isTogether(): boolean {
    return this.#nodes['node-a'].state === 'Leader' && this.#nodes['node-b'].state === 'Follower';
  }

  #wereTogetherSince(ms: number): boolean {
    return this.isTogether || this.#togetherMs > ms;
  }

  /** A node's disk may be lost while its peer has a copy of everything: of two lost disks nothing comes back. */
  mayLoseDisk(node: NodeName): boolean {
    return this.#wereTogetherSince(this.#diskLostMs[peerOf(node)]);
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
    if (isOverlay(stream)) this.#noteBands(message);
    if (!isLog(stream)) return;
    const { mirror } = stream.config;
    const origin = mirror && this.#world.streams(peerOf(node)).get(mirror.name);
    if (origin) this.#isPrefix(node, stream, origin, message);
  }

  /** An overlay that goes on after a boot does so in another band. */
  #noteBands({ data }: StoredMessage): void {
    const { entries } = decodeRecord(data, undefined);
    const [begin, jump] = entries;
    if (begin?.kind === 'overlay' && jump?.kind === 'jump')
      this.#overlays.set(bandOf(jump.revision), begin.id);
  }

  /**
   * Whether two revisions of one key belong to one history in which only the later value is merged: both were written in one overlay,
   * both stood in the end of the log that the leader lost, or the earlier one stood there and the later one in an overlay on top of it.
   * @param value the earlier one's, with its key
   */
  isOneHistory(value: string, earlier: number, later: number): boolean {
    if (later <= earlier) return false;
    const lostAtMs = this.#lostAtMs.get(earlier);
    if (lostAtMs !== undefined && this.#lostAtMs.get(later) === lostAtMs) return true;
    const [below, above] = [this.#overlays.get(bandOf(earlier)), this.#overlays.get(bandOf(later))];
    return above !== undefined && (above === below || this.#lostByLeader.has(value));
  }

  #isPrefix(node: NodeName, mirror: SimulatedStream, origin: SimulatedStream, message: StoredMessage): void {
    for (const sequence of [message.sequence - 1, message.sequence]) {
      const mine = mirror.messages.get(sequence);
      const theirs = origin.messages.get(sequence);
      // What the leader lost while it was on its way to a slow disk is found, and merged, when it is read.
      const isLate = mine !== undefined && this.#recordsLostByLeader.has(nameOf(sequence, mine.data));
      if (mine && theirs && !isLate && !mine.data.equals(theirs.data))
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

  /**
   * A disk held these records, and has just lost some: what is nowhere else may be gone (I2).
   * @returns the bands of which nobody knows any more
   */
  diskLost(node: NodeName, before: readonly StoredMessage[]): Set<number> {
    this.#diskLostMs[node] = this.#world.nowMs();
    const bands = new Set<number>();
    const streams = nodeNames.flatMap((node) => [...this.#world.streams(node).values()]);
    for (const { sequence, data } of before) {
      if (node === 'node-a') this.#noteLost(sequence, data);
      if (streams.some(({ messages }) => messages.get(sequence)?.data.equals(data))) continue;
      for (const value of valuesOf(data)) this.excused.add(value);
      for (const entry of decodeRecord(data, undefined).entries)
        if (entry.kind === 'jump') bands.add(bandOf(entry.revision));
    }
    return bands;
  }

  #noteLost(sequence: number, data: Buffer): void {
    const kept = [...this.#world.streams('node-a').values()].some(
      (stream) => isLog(stream) && stream.messages.get(sequence)?.data.equals(data),
    );
    if (kept) return;
    this.#recordsLostByLeader.add(nameOf(sequence, data));
    for (const entry of decodeRecord(data, undefined).entries)
      if (entry.kind === 'revision')
        for (const change of entry.changes) {
          this.#lostByLeader.add(keyValueOf(change));
          this.#lostAtMs.set(entry.revision, this.#world.nowMs());
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
    const alone: StoredMessage[] = [];
    for (const [sequence, message] of stream.messages) {
      // Where records before it are cleaned away, what they held is stated again.
      const isKept = others.some(
        ({ firstSequence, messages }) =>
          sequence < firstSequence || messages.get(sequence)?.data.equals(message.data),
      );
      if (!isKept) alone.push(message);
    }
    const lost = this.#notMerged(alone);
    if (lost) this.broken('I6', `${node} removes ${lost} of ${stream.config.name}, which nobody else has`);
  }

  /** A value in records that only one log has, which is not merged into the leader's: the last one of its key. */
  #notMerged(records: readonly StoredMessage[]): string | null {
    if (records.length === 0) return null;
    const last = new Map<string, { value: string; sequence: number }>();
    for (const { data, sequence } of records) {
      for (const entry of decodeRecord(data, undefined).entries) {
        if (entry.kind !== 'revision') continue;
        for (const change of entry.changes) {
          const { key } = readKeyValue(Buffer.from(change));
          last.set(key, { value: keyValueOf(change), sequence });
        }
      }
    }
    const logged = this.logged();
    const judged = this.#judged();
    for (const [key, { value, sequence }] of last) {
      const isGone = value.endsWith('=null');
      if (!isLeased(key) && !isGone && !judged.has(key) && !logged.has(value))
        return `${value.slice(0, 60)} in record ${sequence}`;
    }
    return null;
  }

  /** The keys that the merge of an overlay has dealt with, whatever became of them. */
  #judged(): Set<string> {
    const keys = new Set<string>();
    for (const stream of this.#world.streams('node-a').values()) {
      if (!isLog(stream)) continue;
      for (const { data } of stream.messages.values())
        for (const entry of decodeRecord(data, undefined).entries)
          if (entry.kind === 'judged') keys.add(entry.key);
    }
    return keys;
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

/** Tells a record from all others under its sequence. */
function nameOf(sequence: number, data: Buffer): string {
  return `${sequence}.${chainOf(data)}`;
}
