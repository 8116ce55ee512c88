import { type ServiceError, status } from '@grpc/grpc-js';
import type { Compare as WireCompare } from '../../services/shim/etcd/messages.ts';
import type { KeyValue as StoredKeyValue } from '../../services/shim/store/key-value.ts';
import { compare, EtcdClient, NoAnswerError, op, putOf, type ResponseOp, range } from '../etcd-client.ts';
import type {
  Answer,
  Compare,
  History,
  KeyValue,
  LeaseRecord,
  Op,
  Operation,
  OpResult,
  Request,
} from './history.ts';
import { everyKey } from './model.ts';

/** Errors after which a call may have happened, or may happen yet. All others are refusals: nothing has happened. */
const unknownOutcomes = new Set<number>([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.CANCELLED,
  status.UNKNOWN,
  status.INTERNAL,
]);
/** How long to wait after a call without an answer, in milliseconds. */
const pauseMs = 20;

/** Now on CLOCK_MONOTONIC, in milliseconds: the same clock in every process of the machine. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A client that does one call after the other and writes down what it asked and what it was told. */
export class RecordingClient {
  readonly #address: string;
  readonly #endpoint: string;
  readonly #history: History;
  #client: EtcdClient;

  /**
   * @param address `127.0.0.1:2379`
   * @param endpoint the name of the node that answers there
   */
  constructor(address: string, endpoint: string, history: History) {
    this.#address = address;
    this.#endpoint = endpoint;
    this.#history = history;
    this.#client = new EtcdClient(address);
  }

  close(): void {
    this.#client.close();
  }

  /** Does a call and records it. Returns null when it was not answered, or refused. */
  async call(request: Partial<Request>, { serializable = false } = {}): Promise<Answer | null> {
    const invokedMs = monotonicMs();
    const operation: Operation = {
      endpoint: this.#endpoint,
      invokedMs,
      returnedMs: invokedMs,
      request: { compare: [], success: [], failure: [], ...request },
      serializable,
      outcome: 'unknown',
    };
    this.#history.operations.push(operation);
    try {
      operation.outcome = await send(this.#client, operation);
      operation.returnedMs = monotonicMs();
      return operation.outcome;
    } catch (error) {
      operation.returnedMs = monotonicMs();
      if (isRefusal(error)) operation.outcome = 'refused';
      else await this.#connectAnew();
      return null;
    }
  }

  /** Reads every key: whoever watches all of them begins with that. */
  list(): Promise<Answer | null> {
    return this.call({ success: [{ kind: 'get', ...everyKey, revision: 0, limit: 0 }] });
  }

  /** Returns the lease, or null when it is not known whether it was granted. Leases that no key hangs on need no record. */
  async grant(id: bigint, ttlSeconds: number): Promise<LeaseRecord | null> {
    const askedMs = monotonicMs();
    const granted = await this.#try((client) => client.leaseGrant(ttlSeconds, id));
    if (!granted) return null;
    const renewals = [{ askedMs, revision: granted.header?.revision ?? 0 }];
    const lease = { id: String(id), ttlMs: granted.ttl * 1_000, renewals, revokedMs: null };
    this.#history.leases.push(lease);
    return lease;
  }

  async keepAlive(lease: LeaseRecord): Promise<void> {
    const askedMs = monotonicMs();
    const answer = await this.#try((client) => client.keepAliveOnce(BigInt(lease.id)));
    if (answer && answer.ttl > 0) lease.renewals.push({ askedMs, revision: answer.header?.revision ?? 0 });
  }

  async revoke(lease: LeaseRecord): Promise<void> {
    lease.revokedMs ??= monotonicMs();
    await this.#try((client) => client.leaseRevoke(BigInt(lease.id)));
  }

  /** Frees what stood before a revision. It changes nothing that the history is about. */
  async compact(revision: number): Promise<void> {
    await this.#try((client) => client.compact(revision));
  }

  async #try<T>(call: (client: EtcdClient) => Promise<T>): Promise<T | null> {
    try {
      return await call(this.#client);
    } catch (error) {
      if (!isRefusal(error)) await this.#connectAnew();
      return null;
    }
  }

  /** A channel that has seen a dead server waits long before it tries again. */
  async #connectAnew(): Promise<void> {
    this.#client.close();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    this.#client = new EtcdClient(this.#address);
  }
}

/** @throws what is no answer of a server at all, nor the lack of one */
function isRefusal(error: unknown): boolean {
  const { code } = error as Partial<ServiceError>;
  if (code === undefined && !(error instanceof NoAnswerError)) throw error;
  return code !== undefined && !unknownOutcomes.has(code);
}

/** A single op without conditions is a call of its own. */
async function send(client: EtcdClient, { request, serializable }: Operation): Promise<Answer> {
  const [first] = request.success;
  if (first && request.success.length === 1 && request.compare.length === 0)
    return sendOne(client, first, serializable);
  const response = await client.txn({
    compare: request.compare.map(toCompare),
    success: request.success.map(toRequestOp),
    failure: request.failure.map(toRequestOp),
  });
  return {
    revision: response.header?.revision ?? 0,
    succeeded: response.succeeded,
    results: response.responses.map(toResult),
  };
}

async function sendOne(client: EtcdClient, one: Op, serializable: boolean): Promise<Answer> {
  const response = await respond(client, one, serializable);
  const result = toResult({ ...nothing, ...response.op });
  return { revision: response.revision, succeeded: true, results: [result] };
}

async function respond(client: EtcdClient, one: Op, serializable: boolean) {
  const asked = toRequestOp(one);
  if (asked.requestRange) {
    const response = await client.range({ ...asked.requestRange, serializable });
    return { revision: response.header?.revision ?? 0, op: { responseRange: response } };
  }
  if (one.kind === 'put') {
    const { key, value, lease } = one;
    const response = await client.put({ key, value, lease: BigInt(lease), prevKv: true });
    return { revision: response.header?.revision ?? 0, op: { responsePut: response } };
  }
  const { key, end: rangeEnd } = one;
  const response = await client.deleteRange({ key, rangeEnd, prevKv: true });
  return { revision: response.header?.revision ?? 0, op: { responseDeleteRange: response } };
}

const nothing: ResponseOp = {
  responseRange: undefined,
  responsePut: undefined,
  responseDeleteRange: undefined,
  responseTxn: undefined,
};

/** etcd's `Compare.CompareTarget`; the result is EQUAL. */
function toCompare({ key, target, equals }: Compare): WireCompare {
  switch (target) {
    case 'version':
      return compare({ key, target: 0, version: equals });
    case 'modRevision':
      return compare({ key, target: 2, modRevision: equals });
    case 'value':
      return compare({ key, target: 3, value: Buffer.from(String(equals)) });
  }
}

function toRequestOp(one: Op): ReturnType<typeof op> {
  switch (one.kind) {
    case 'get': {
      const { key, end: rangeEnd, revision, limit } = one;
      return op({ requestRange: range(key, { rangeEnd, revision, limit }) });
    }
    case 'put':
      return op({
        requestPut: { ...putOf(one.key, one.value), lease: BigInt(one.lease), prevKv: true },
      });
    case 'delete':
      return op({ requestDeleteRange: { key: one.key, rangeEnd: one.end, prevKv: true } });
  }
}

function toResult({ responseRange, responsePut, responseDeleteRange }: ResponseOp): OpResult {
  if (responseRange)
    return { kind: 'get', keyValues: responseRange.kvs.map(toKeyValue), count: responseRange.count };
  if (responsePut)
    return { kind: 'put', previous: responsePut.prevKv ? toKeyValue(responsePut.prevKv) : null };
  if (responseDeleteRange) {
    const { deleted, prevKvs } = responseDeleteRange;
    return { kind: 'delete', deleted, previous: prevKvs.map(toKeyValue) };
  }
  throw new Error('an answer without content');
}

/** As it stands in a history: an event's deletion has version 0. */
export function toKeyValue({ value, lease, ...numbers }: StoredKeyValue): KeyValue {
  return { ...numbers, value: value.toString('latin1'), lease: String(lease) };
}
