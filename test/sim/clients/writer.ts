import { EtcdError } from '../../../services/shim/etcd/errors.ts';
import {
  type Compare,
  compactionRequest,
  deleteRangeRequest,
  leaseGrantRequest,
  leaseGrantResponse,
  putRequest,
  type RequestOp,
  rangeRequest,
  txnRequest,
} from '../../../services/shim/etcd/messages.ts';
import { deleteRangeResponse, putResponse, rangeResponse, txnResponse } from '../../etcd-client.ts';
import type { Random } from '../random.ts';
import type { ApiConnection } from './connection.ts';
import type { History, Write } from './history.ts';
import { keys } from './keys.ts';

/** How long a client thinks between two calls, in milliseconds, and how long it waits for an answer. */
const thinkMs = { least: 20, most: 400 };
const sharedKeys = 6;
const unlistedKeys = 3;

/** etcd's Compare: EQUAL on MOD. */
const isModRevision = (key: string, modRevision: number): Partial<Compare> => ({
  result: 0,
  target: 2,
  key,
  modRevision,
});

/** A client that writes through one node, and notes what it asked and what it was answered. */
export class Writer {
  readonly #name: string;
  readonly #connection: ApiConnection;
  readonly #random: Random;
  readonly #history: History;
  #count = 0;
  #listedRevision = 0;
  /** The mod revisions of the shared keys as this client last saw them. */
  readonly #seen = new Map<string, number>();

  /** Runs in the client's process. */
  constructor(name: string, world: { connection: ApiConnection; random: Random; history: History }) {
    this.#name = name;
    this.#connection = world.connection;
    this.#random = world.random;
    this.#history = world.history;
    void this.#work();
  }

  async #work(): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, this.#random.between(thinkMs.least, thinkMs.most)));
      await this.#once();
    }
  }

  #once(): Promise<void> {
    const shared = keys.shared(this.#random.below(sharedKeys));
    const dice = this.#random.next();
    if (dice < 0.35) return this.#put(keys.own(this.#name, this.#count));
    if (dice < 0.5) return this.#put(shared);
    if (dice < 0.7) return this.#update(shared);
    if (dice < 0.8) return this.#delete(shared);
    if (dice < 0.87) return this.#put(keys.unlisted(this.#random.below(unlistedKeys)));
    if (dice < 0.9) return this.#putLeased();
    if (dice < 0.93) return this.#compact();
    return this.#list();
  }

  /** A value that no other write has. Some are long, so that the log has something to clean. */
  #value(): string {
    return `${this.#name}-${this.#count++}${'.'.repeat(this.#random.chance(0.1) ? 2_000 : 0)}`;
  }

  async #put(key: string, lease = 0n): Promise<void> {
    const value = this.#value();
    const request = putRequest.encode({ key, value: Buffer.from(value), lease });
    await this.#write({ key, value }, 'Put', request, (bytes) => putResponse.decode(bytes).header?.revision);
  }

  async #delete(key: string): Promise<void> {
    const request = deleteRangeRequest.encode({ key });
    await this.#write({ key, value: null }, 'DeleteRange', request, (bytes) => {
      const { deleted, header } = deleteRangeResponse.decode(bytes);
      return deleted > 0 ? header?.revision : 0;
    });
  }

  /** Kubernetes' update: if the mod revision is the one that was read, then put, else read. */
  async #update(key: string): Promise<void> {
    const value = this.#value();
    const request = txnRequest.encode({
      compare: [isModRevision(key, this.#seen.get(key) ?? 0) as Compare],
      success: [{ requestPut: { key, value: Buffer.from(value) } } as unknown as RequestOp],
      failure: [{ requestRange: { key } } as unknown as RequestOp],
    });
    await this.#write({ key, value }, 'Txn', request, (bytes) => {
      const { succeeded, header, responses } = txnResponse.decode(bytes);
      const kvs = responses[0]?.responseRange?.kvs ?? [];
      this.#seen.set(key, (succeeded ? header?.revision : kvs[0]?.modRevision) ?? 0);
      return succeeded ? header?.revision : 0;
    });
  }

  /** @param revisionOf the revision of the change; 0 when nothing was changed */
  async #write(
    what: Pick<Write, 'key' | 'value'>,
    method: string,
    request: Uint8Array,
    revisionOf: (response: Buffer) => number | undefined,
  ): Promise<void> {
    const write = this.#history.begin(this.#connection.machine.name, what);
    try {
      const revision = revisionOf(await this.#connection.call('KV', method, request)) ?? 0;
      this.#history.acknowledged(write, revision);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      this.#history.failed(write, error);
    }
  }

  /** A key on a lease that nobody keeps alive. */
  async #putLeased(): Promise<void> {
    const request = leaseGrantRequest.encode({ ttl: 2, id: 0n });
    const answer = await this.#connection.call('Lease', 'LeaseGrant', request).catch(unanswered);
    if (!answer) return;
    const { id } = leaseGrantResponse.decode(answer);
    await this.#put(keys.leased(this.#name, this.#count), id);
  }

  /** As kube-apiserver does it: up to a revision that was read some time ago. */
  async #compact(): Promise<void> {
    const revision = this.#listedRevision;
    if (revision === 0) return;
    await this.#connection
      .call('KV', 'Compact', compactionRequest.encode({ revision, physical: false }))
      .catch(unanswered);
  }

  async #list(): Promise<void> {
    const { name } = this.#connection.machine;
    const askedMs = this.#history.nowMs;
    const answer = await this.#connection
      .call('KV', 'Range', rangeRequest.encode(keys.all))
      .catch(unanswered);
    if (!answer) return;
    const { header, kvs } = rangeResponse.decode(answer);
    this.#listedRevision = header?.revision ?? 0;
    this.#history.listed(name, this.#listedRevision, kvs, askedMs);
    for (const { key, modRevision } of kvs) this.#seen.set(key, modRevision);
  }
}

/** An answer of etcd that is not a success. @throws what is none */
function unanswered(error: unknown): null {
  if (error instanceof EtcdError) return null;
  throw error;
}
