import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, Compare, History, KeyValue, LeaseRecord, Op, Request } from './history.ts';
import { pick } from './random.ts';
import { RecordingClient } from './recording-client.ts';

/** Keys are few, so that clients meet on them. */
const keyCount = 12;
const leaseTtlSeconds = 2;
/** Longest pause between two calls of a client, in milliseconds. */
const pauseMaxMs = 6;
/** Answers older than this many revisions are not asked for. */
const historyDepth = 60;

export interface LoadOptions {
  /** `127.0.0.1:2379` */
  address: string;
  /** The name of the node that answers there. */
  endpoint: string;
  /** What the clients do is recorded here; they write below its prefix. */
  history: History;
  clients: number;
  random: () => number;
}

/** Concurrent clients that do everything an etcd is asked for, on the same few keys, until they are stopped. */
export class Load {
  readonly #options: LoadOptions;
  readonly #running: Promise<unknown>;
  readonly #keys: string[];
  /** What was seen of each key last: mod revisions for conditions. */
  readonly #seen = new Map<string, number>();
  readonly #leases: LeaseRecord[] = [];
  #newest = 0;
  #oldest = Number.POSITIVE_INFINITY;
  #count = 0;
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    const { prefix } = options.history;
    this.#keys = Array.from({ length: keyCount }, (_, i) => `${prefix}${String(i).padStart(2, '0')}`);
    this.#running = Promise.all(Array.from({ length: options.clients }, (_, i) => this.#run(i)));
  }

  /** Resolves when the last call of each client has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(number: number): Promise<void> {
    const { address, endpoint, history, random } = this.#options;
    const client = new RecordingClient(address, endpoint, history);
    while (!this.#stopped) {
      await this.#step(client, number);
      await delay(random() * pauseMaxMs);
    }
    client.close();
  }

  async #step(client: RecordingClient, number: number): Promise<void> {
    const { random } = this.#options;
    const chance = random();
    if (chance < 0.03) return this.#grant(client);
    const lease = this.#leases.length > 0 ? pick(random, this.#leases) : null;
    if (lease && chance < 0.05) return client.keepAlive(lease);
    if (lease && chance < 0.06) return client.revoke(lease);
    const request = this.#request(chance, number, lease);
    const serializable = isRead(request) && random() < 0.2;
    this.#learn(await client.call(request, { serializable }));
  }

  async #grant(client: RecordingClient): Promise<void> {
    const id = BigInt(Math.floor(this.#options.random() * 2 ** 48) + 1);
    const lease = await client.grant(id, leaseTtlSeconds);
    if (lease) this.#leases.push(lease);
  }

  #request(chance: number, number: number, lease: LeaseRecord | null): Partial<Request> {
    const { random } = this.#options;
    const key = pick(random, this.#keys);
    const end = pick(random, this.#keys);
    const range = key < end ? { key, end } : { key, end: '' };
    const value = this.#value(number);
    if (chance < 0.18) return { success: [get(key, '')] };
    if (chance < 0.26) return { success: [get(range.key, range.end, 0, random() < 0.5 ? 2 : 0)] };
    if (chance < 0.32) return { success: [get(range.key, range.end, this.#oldRevision())] };
    if (chance < 0.48) return { success: [put(key, value, random() < 0.3 ? lease : null)] };
    if (chance < 0.54) return { success: [{ kind: 'delete', key, end: '' }] };
    if (chance < 0.57) return { success: [{ kind: 'delete', ...range }] };
    if (chance < 0.8) return this.#guarded(key, value);
    return this.#many(value, lease);
  }

  /** What kube-apiserver does: create, update, delete on the condition that nobody else did. */
  #guarded(key: string, value: string): Partial<Request> {
    const guard = this.#guard(key);
    const change: Op =
      guard.equals !== 0 && this.#options.random() < 0.3
        ? { kind: 'delete', key, end: '' }
        : put(key, value, null);
    return { compare: [guard], success: [change], failure: [get(key, '')] };
  }

  /** Several keys at once; each is read again after it was written. */
  #many(value: string, lease: LeaseRecord | null): Partial<Request> {
    const { random, history } = this.#options;
    const [first, second, third] = [...this.#keys].sort(() => random() - 0.5) as [string, string, string];
    const compare = random() < 0.5 ? [this.#guard(first)] : [];
    const success: Op[] = [
      put(first, value, null),
      put(second, value, random() < 0.3 ? lease : null),
      { kind: 'delete', key: third, end: '' },
      get(history.prefix, `${history.prefix.slice(0, -1)}0`),
    ];
    return { compare, success, failure: [get(first, ''), put(second, value, null)] };
  }

  #guard(key: string): Compare {
    return { key, target: 'modRevision', equals: this.#seen.get(key) ?? 0 };
  }

  /** Different for each call, and now and then long. */
  #value(number: number): string {
    const filler = this.#options.random() < 0.05 ? 'x'.repeat(8_000) : '';
    return `${number}/${this.#count++} ${filler}`;
  }

  #oldRevision(): number {
    const depth = Math.floor(this.#options.random() * historyDepth);
    return Math.max(this.#newest - depth, Math.min(this.#oldest, this.#newest));
  }

  #learn(answer: Answer | null): void {
    if (!answer) return;
    this.#newest = Math.max(this.#newest, answer.revision);
    this.#oldest = Math.min(this.#oldest, answer.revision);
    const found = answer.results.flatMap((result) => (result.kind === 'get' ? result.keyValues : []));
    for (const keyValue of found) this.#note(keyValue);
  }

  #note({ key, modRevision }: KeyValue): void {
    if (modRevision > (this.#seen.get(key) ?? 0)) this.#seen.set(key, modRevision);
  }
}

function isRead({ compare = [], success = [] }: Partial<Request>): boolean {
  return compare.length === 0 && success.length === 1 && success[0]?.kind === 'get';
}

function get(key: string, end: string, revision = 0, limit = 0): Op {
  return { kind: 'get', key, end, revision, limit };
}

function put(key: string, value: string, lease: LeaseRecord | null): Op {
  return { kind: 'put', key, value, lease: lease?.id ?? '0' };
}
