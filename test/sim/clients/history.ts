import { status } from '@grpc/grpc-js';
import type { EtcdError } from '../../../services/shim/etcd/errors.ts';
import type { KeyValue } from '../../../services/shim/store/key-value.ts';
import { bandOf } from '../checks.ts';
import type { NodeName } from '../network.ts';
import { Contents } from './contents.ts';
import { isListed } from './keys.ts';

/** One write of a client. */
export interface Write {
  node: NodeName;
  key: string;
  /** Null: a deletion. */
  value: string | null;
  beganMs: number;
  endedMs: number;
  /** `unknown`: it may have happened, or may happen yet. */
  outcome: 'pending' | 'acknowledged' | 'nothing' | 'refused' | 'unknown';
  revision: number;
}

export interface HistoryWorld {
  nowMs: () => number;
  say: (who: string, text: string) => void;
  broken: (invariant: string, text: string) => void;
  /** Since when the node is restricted without a break; null when it is not, or is off. */
  restrictedSinceMs: (node: NodeName) => number | null;
  /** Keep copies of what was seen, to say what differs: for a seed that is run again. */
  keepsContents: boolean;
}

/** Everything that the clients asked and were told, checked as it comes in. */
export class History {
  readonly #world: HistoryWorld;
  readonly writes: Write[] = [];
  /** What each revision put, wherever it was seen. */
  readonly #puts = new Map<number, { key: string; value: string }>();
  /** The contents at each revision, as somebody saw all of it. */
  readonly #contents = new Map<number, { digest: string; who: string; contents: Contents | null }>();
  /** The newest revision that readers of each node were told. */
  readonly #newest: Record<NodeName, number> = { 'node-a': 0, 'node-b': 0 };
  readonly #forgottenMs: Record<NodeName, number> = { 'node-a': -1, 'node-b': -1 };

  constructor(world: HistoryWorld) {
    this.#world = world;
  }

  get nowMs(): number {
    return this.#world.nowMs();
  }

  broken(invariant: string, text: string): void {
    this.#world.broken(invariant, text);
  }

  begin(node: NodeName, what: Pick<Write, 'key' | 'value'>): Write {
    const beganMs = this.#world.nowMs();
    const write: Write = { node, ...what, beganMs, endedMs: 0, outcome: 'pending', revision: 0 };
    this.writes.push(write);
    return write;
  }

  /** @param revision 0: nothing was changed */
  acknowledged(write: Write, revision: number): void {
    this.#end(write, revision === 0 ? 'nothing' : 'acknowledged');
    write.revision = revision;
    if (revision === 0) return;
    this.#world.say('client', `${write.node} ${write.key} = ${brief(write.value ?? 'null')} at ${revision}`);
    if (write.value !== null) this.#isPut(revision, write.key, write.value, `a write through ${write.node}`);
    const sinceMs = this.#world.restrictedSinceMs(write.node);
    if (!isListed(write.key) && sinceMs !== null && sinceMs < write.beganMs) {
      this.broken('I3', `${write.node} took ${write.key} while restricted since ${sinceMs} ms`);
    }
  }

  failed(write: Write, error: EtcdError): void {
    const isRefusal = error.code === status.PERMISSION_DENIED || error.code === status.RESOURCE_EXHAUSTED;
    this.#end(write, isRefusal ? 'refused' : 'unknown');
    this.#world.say('client', `${write.node} ${write.key} ${write.outcome}: ${error.message}`);
  }

  #end(write: Write, outcome: Write['outcome']): void {
    write.outcome = outcome;
    write.endedMs = this.#world.nowMs();
  }

  /** A linearizable list of everything. */
  listed(node: NodeName, revision: number, kvs: readonly KeyValue[], askedMs: number): void {
    // Asked before the node's disk went back.
    if (askedMs <= this.#forgottenMs[node]) return;
    if (revision < this.#newest[node])
      this.broken('I4', `${node} went back from revision ${this.#newest[node]} to ${revision}`);
    this.#newest[node] = revision;
    for (const kv of kvs) this.saw(node, kv);
    this.copied('a list', node, revision, new Contents(kvs));
  }

  /** The node's disk is an older one: until it meets its peer it cannot know. */
  forgetNewest(node: NodeName): void {
    this.#newest[node] = 0;
    this.#forgottenMs[node] = this.#world.nowMs();
  }

  /** Bands of which nobody knows any more are begun again. */
  forgetBands(bands: ReadonlySet<number>): void {
    for (const known of [this.#puts, this.#contents])
      for (const revision of [...known.keys()]) if (bands.has(bandOf(revision))) known.delete(revision);
  }

  /** Somebody was shown this version. */
  saw(node: NodeName, kv: KeyValue): void {
    if (kv.version > 0) this.#isPut(kv.modRevision, kv.key, kv.value.toString(), node);
  }

  #isPut(revision: number, key: string, value: string, who: string): void {
    const known = this.#puts.get(revision);
    if (!known) this.#puts.set(revision, { key, value });
    else if (known.key !== key || known.value !== value) {
      this.broken(
        'I4',
        `revision ${revision} is ${known.key}=${brief(known.value)}, and for ${who} ${key}=${brief(value)}`,
      );
    }
  }

  /** Somebody knows everything that is there at a revision: it must be the same for all. */
  copied(who: string, node: NodeName, revision: number, contents: Contents): void {
    const known = this.#contents.get(revision);
    const { digest } = contents;
    if (!known) {
      const copy = this.#world.keepsContents ? contents.copy() : null;
      this.#contents.set(revision, { digest, who: `${who} at ${node}`, contents: copy });
    } else if (known.digest !== digest) {
      const difference = known.contents ? contents.differenceFrom(known.contents) : digest;
      this.broken(
        'I4',
        `at revision ${revision} ${who} at ${node} has not what ${known.who} has: ${difference}`,
      );
    }
  }
}

/** Some values are long. */
function brief(value: string): string {
  return value.slice(0, 30);
}
