import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  compactionRequest,
  deleteRangeRequest,
  leaseGrantRequest,
  leaseGrantResponse,
  leaseKeepAliveRequest,
  leaseKeepAliveResponse,
  leaseRevokeRequest,
  putRequest,
  type RangeRequest,
  rangeRequest,
  responseHeader,
  type TxnRequest,
  txnRequest,
  type WatchCreateRequest,
  watchRequest,
} from '../services/shim/etcd/messages.ts';
import {
  bool,
  bytes,
  type Codec,
  enumeration,
  type Infer,
  int64,
  message,
  optional,
  repeated,
  string,
} from '../services/shim/protobuf/message.ts';
import type { Reader } from '../services/shim/protobuf/wire.ts';
import { type KeyValue, readKeyValue } from '../services/shim/store/key-value.ts';

/** A client of the etcd API for tests: bytes over gRPC, decoded with the codecs of the shim. */

const keyValue: Codec<KeyValue> = {
  fields: {},
  decode: (input) => readKeyValue(Buffer.from(input)),
  read: (reader: Reader) => readKeyValue(reader.bytes()),
  encode: () => {
    throw new Error('answers are only read');
  },
  write: () => {
    throw new Error('answers are only read');
  },
};
const header = optional(1, responseHeader);
export const rangeResponse = message({ header, kvs: repeated(2, keyValue), more: bool(3), count: int64(4) });
export const putResponse = message({ header, prevKv: optional(2, keyValue) });
export const deleteRangeResponse = message({ header, deleted: int64(2), prevKvs: repeated(3, keyValue) });

export interface ResponseOp {
  responseRange: Infer<typeof rangeResponse> | undefined;
  responsePut: Infer<typeof putResponse> | undefined;
  responseDeleteRange: Infer<typeof deleteRangeResponse> | undefined;
  responseTxn: TxnResponse | undefined;
}
export interface TxnResponse {
  header: Infer<typeof responseHeader> | undefined;
  succeeded: boolean;
  responses: ResponseOp[];
}
const nestedTxn: Codec<TxnResponse> = {
  fields: {},
  decode: (input) => txnResponse.decode(input),
  encode: (value) => txnResponse.encode(value),
  read: (reader) => txnResponse.read(reader),
  write: (writer, value) => txnResponse.write(writer, value),
};
const responseOp: Codec<ResponseOp> = message({
  responseRange: optional(1, rangeResponse),
  responsePut: optional(2, putResponse),
  responseDeleteRange: optional(3, deleteRangeResponse),
  responseTxn: optional(4, nestedTxn),
});
export const txnResponse: Codec<TxnResponse> = message({
  header,
  succeeded: bool(2),
  responses: repeated(3, responseOp),
});

const event = message({ type: enumeration(1), kv: optional(2, keyValue), prevKv: optional(3, keyValue) });
export const watchResponse = message({
  header,
  watchId: int64(2),
  created: bool(3),
  canceled: bool(4),
  compactRevision: int64(5),
  cancelReason: string(6),
  fragment: bool(7),
  events: repeated(11, event),
});
export type WatchResponse = Infer<typeof watchResponse>;

const asBytes = (input: Uint8Array) => Buffer.from(input);
const callLimitMs = 20_000;

export class EtcdClient {
  readonly #client: Client;

  /** @param address `127.0.0.1:2379` */
  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      // Else a new client waits as long as an older one that has seen a dead server.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  close(): void {
    this.#client.close();
  }

  /** @param path `KV/Range` of etcd's, or `/package.Service/Method` */
  call(path: string, request: Uint8Array): Promise<Buffer> {
    const method = path.startsWith('/') ? path : `/etcdserverpb.${path}`;
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: Buffer) =>
        error || !response ? reject(error) : resolve(response);
      const options = { deadline: Date.now() + callLimitMs };
      this.#client.makeUnaryRequest(method, asBytes, asBytes, request, options, done);
    });
  }

  async range(request: Partial<RangeRequest>) {
    return rangeResponse.decode(await this.call('KV/Range', rangeRequest.encode(request)));
  }

  async get(key: string): Promise<string | undefined> {
    const [kv] = (await this.range({ key })).kvs;
    return kv?.value.toString();
  }

  async put(request: {
    key: string;
    value?: string;
    lease?: bigint;
    prevKv?: boolean;
    ignoreValue?: boolean;
    ignoreLease?: boolean;
  }) {
    const value = Buffer.from(request.value ?? '');
    return putResponse.decode(await this.call('KV/Put', putRequest.encode({ ...request, value })));
  }

  async deleteRange(request: { key: string; rangeEnd?: string; prevKv?: boolean }) {
    return deleteRangeResponse.decode(await this.call('KV/DeleteRange', deleteRangeRequest.encode(request)));
  }

  async txn(request: Partial<TxnRequest>) {
    return txnResponse.decode(await this.call('KV/Txn', txnRequest.encode(request)));
  }

  /** kube-apiserver's create: a Put if the key is not there. */
  async create(key: string, value: string): Promise<boolean> {
    return (await this.update(key, 0, value)).succeeded;
  }

  /** kube-apiserver's update: a Put if the key is still at a revision, else a look at it. */
  update(key: string, modRevision: number, value: string) {
    return this.txn({
      compare: [
        {
          result: 0,
          target: 2,
          key,
          modRevision,
          version: 0,
          createRevision: 0,
          value: bytes(1).type.empty(),
          lease: 0n,
          rangeEnd: '',
        },
      ],
      success: [op({ requestPut: putOf(key, value) })],
    });
  }

  async compact(revision: number, physical = false): Promise<void> {
    await this.call('KV/Compact', compactionRequest.encode({ revision, physical }));
  }

  async leaseGrant(ttl: number, id = 0n) {
    return leaseGrantResponse.decode(
      await this.call('Lease/LeaseGrant', leaseGrantRequest.encode({ ttl, id })),
    );
  }

  async leaseRevoke(id: bigint): Promise<void> {
    await this.call('Lease/LeaseRevoke', leaseRevokeRequest.encode({ id }));
  }

  /** Renews a lease, once. The TTL of the answer is 0 when there is no such lease. */
  async keepAliveOnce(id: bigint): Promise<Infer<typeof leaseKeepAliveResponse>> {
    const stream = this.leaseKeepAlive();
    stream.write(leaseKeepAliveRequest.encode({ id }));
    try {
      return await stream.next();
    } finally {
      stream.cancel();
    }
  }

  /** @param metadata `{ hasleader: 'true' }` as clients set it that want to be told when there is no leader */
  watch(metadata: Record<string, string> = {}): WatchStream {
    return new WatchStream(this.#stream('Watch/Watch', metadata));
  }

  leaseKeepAlive(): AnswerStream<Infer<typeof leaseKeepAliveResponse>> {
    return new AnswerStream(this.#stream('Lease/LeaseKeepAlive'), (bytes) =>
      leaseKeepAliveResponse.decode(bytes),
    );
  }

  #stream(path: string, metadata: Record<string, string> = {}): ClientDuplexStream<Buffer, Buffer> {
    const headers = Metadata.fromHttp2Headers(metadata);
    return this.#client.makeBidiStreamRequest(`/etcdserverpb.${path}`, asBytes, asBytes, headers);
  }
}

export function putOf(key: string, value: string) {
  return { key, value: Buffer.from(value), lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };
}

export function op(part: Partial<TxnRequest['success'][number]>): TxnRequest['success'][number] {
  return {
    requestRange: undefined,
    requestPut: undefined,
    requestDeleteRange: undefined,
    requestTxn: undefined,
    ...part,
  };
}

/** A stream said nothing for too long. */
export class NoAnswerError extends Error {
  override name = 'NoAnswerError';
}

/** A stream of both directions: answers come out in order, each waited for. */
export class AnswerStream<T> {
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #answers: T[] = [];
  #error: ServiceError | null = null;
  #wake: () => void = () => undefined;

  constructor(call: ClientDuplexStream<Buffer, Buffer>, decode: (bytes: Buffer) => T) {
    this.#call = call;
    call.on('data', (data: Buffer) => {
      this.#answers.push(decode(data));
      this.#wake();
    });
    call.on('error', (error: ServiceError) => {
      this.#error = error;
      this.#wake();
    });
  }

  write(request: Uint8Array): void {
    this.#call.write(asBytes(request));
  }

  /** The next answer. @throws Error when the stream has failed, or when none comes in time */
  async next(limitMs = 10_000): Promise<T> {
    const deadline = Date.now() + limitMs;
    for (;;) {
      const answer = this.#answers.shift();
      if (answer) return answer;
      if (this.#error) throw this.#error;
      const left = deadline - Date.now();
      if (left <= 0) throw new NoAnswerError(`no answer on the stream for ${limitMs} ms`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Reads nothing more until {@link resume}: what the server sends piles up there. */
  pause(): void {
    this.#call.pause();
  }

  resume(): void {
    this.#call.resume();
  }

  cancel(): void {
    this.#call.cancel();
  }
}

/** One Watch stream. */
export class WatchStream extends AnswerStream<WatchResponse> {
  constructor(call: ClientDuplexStream<Buffer, Buffer>) {
    super(call, (bytes) => watchResponse.decode(bytes));
  }

  create(request: Partial<WatchCreateRequest>): void {
    this.send({ createRequest: { ...everyKey, ...request } });
  }

  send(request: Parameters<typeof watchRequest.encode>[0]): void {
    this.write(watchRequest.encode(request));
  }
}

const everyKey: WatchCreateRequest = {
  key: '',
  rangeEnd: '',
  startRevision: 0,
  progressNotify: false,
  filters: [],
  prevKv: false,
  watchId: 0,
  fragment: false,
};

/** Parts of requests, with the defaults of their other fields. */
export const compare = (part: object) => ({
  result: 0,
  target: 0,
  key: '',
  version: 0,
  createRevision: 0,
  modRevision: 0,
  value: Buffer.alloc(0),
  lease: 0n,
  rangeEnd: '',
  ...part,
});
export const range = (key: string, part: object = {}) => ({
  key,
  rangeEnd: '',
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
  ...part,
});
