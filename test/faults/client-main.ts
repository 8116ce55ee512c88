import { createHash } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConnectionOptions, connect, type NatsConnection } from 'nats';
import { status } from '../../services/shim/etcd/grpc/status.ts';
import { hashKvRequest, hashKvResponse } from '../../services/shim/etcd/messages.ts';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { findLogStreams, findStream } from '../../services/shim/log/stream.ts';
import { decodeMessage, stateSchema } from '../../shared/messages.ts';
import { servicesUser } from '../../shared/nats-server/config.ts';
import { subjects } from '../../shared/subjects.ts';
import { EtcdClient } from '../etcd-client.ts';
import { eventually } from '../eventually.ts';
import {
  type ClientRequest,
  type DigestAnswer,
  type LoadAnswer,
  passwordVariable,
  type StoredKey,
  type TimedKey,
} from './client-protocol.ts';
import { Informer } from './informer.ts';

/**
 * A client beside a node, in its network namespace: it watches the node's state go by, and writes and reads through the
 * node's etcd port when the test asks for it. `node client-main.js NODE`
 */

const natsUrl = 'nats://127.0.0.1:4222';
const etcdAddress = '127.0.0.1:2379';
/** Between two writes of a load: a client, not a benchmark. */
const loadPauseMs = 5;
/** A watch may be silent for so long, in milliseconds. */
const answerLimitMs = 60_000;
/** How often it is looked whether a record is stored, in milliseconds. */
const storedPollMs = 5;

let load: Load | undefined;
let informer: Informer | undefined;
let watch: TimedWatch | undefined;

function connectToNats(as: ConnectionOptions = {}): Promise<NatsConnection> {
  return connect({
    servers: natsUrl,
    timeout: 1_000,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 50,
    reconnectJitter: 0,
    pingInterval: 1_000,
    ...as,
  });
}

async function watchState(node: string): Promise<void> {
  const connection = await connectToNats();
  for await (const message of connection.subscribe(subjects.state(node))) {
    const decoded = decodeMessage(stateSchema, message.data);
    if (decoded.ok) process.send?.({ state: decoded.value, atMs: Date.now() });
  }
}

/** With a connection of its own: a channel that has seen a dead server waits long before it tries again. */
async function withClient<T>(use: (client: EtcdClient) => Promise<T>): Promise<T> {
  const client = new EtcdClient(etcdAddress);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

function list(prefix: string): Promise<StoredKey[]> {
  return withClient(async (client) => {
    const { kvs } = await client.range({ key: prefix, rangeEnd: `${prefix.slice(0, -1)}0` });
    return kvs.map(({ key, value, modRevision }) => ({ key, value: value.toString(), modRevision }));
  });
}

function digest(revision: number): Promise<DigestAnswer> {
  return withClient(async (client) => {
    const { kvs, header } = await client.range({ key: '\0', rangeEnd: '\0', revision });
    const sum = createHash('sha256');
    for (const { key, value, createRevision, modRevision, version } of kvs) {
      sum.update(JSON.stringify([key, value.toString('base64'), createRevision, modRevision, version]));
    }
    const at = revision || (header?.revision ?? 0);
    const hashed = await client.call('Maintenance/HashKV', hashKvRequest.encode({ revision: at }));
    return { sha256: sum.digest('hex'), hashKv: hashKvResponse.decode(hashed).hash, revision: at };
  });
}

/** Resolves when something listens on the node's etcd port. */
async function untilServed(): Promise<void> {
  const [host, port] = etcdAddress.split(':');
  const isOpen = () =>
    new Promise<boolean>((resolve) => {
      const socket = connectTcp(Number(port), host);
      const end = (open: boolean) => {
        socket.destroy();
        resolve(open);
      };
      socket.once('connect', () => end(true)).once('error', () => end(false));
    });
  await eventually(isOpen, (open) => open);
}

/** Writes new keys one after the other, and remembers what was acknowledged. */
class Load {
  readonly #prefix: string;
  readonly #answer: LoadAnswer = {
    acknowledged: [],
    refused: 0,
    unknown: 0,
    longestGapMs: 0,
    wentBack: [],
  };
  #revision = 0;
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#done = this.#run();
  }

  async stop(): Promise<LoadAnswer> {
    this.#stopped = true;
    await this.#done;
    return this.#answer;
  }

  async #run(): Promise<void> {
    let lastMs = performance.now();
    for (let i = 0; !this.#stopped; i++) {
      const outcome = await this.#write(`${this.#prefix}${i}`, `${i} `.repeat(50));
      if (outcome === 'acknowledged') {
        this.#answer.longestGapMs = Math.max(this.#answer.longestGapMs, performance.now() - lastMs);
        lastMs = performance.now();
      } else {
        this.#answer[outcome]++;
      }
      await new Promise((resolve) => setTimeout(resolve, loadPauseMs));
    }
  }

  async #write(key: string, value: string): Promise<'acknowledged' | 'refused' | 'unknown'> {
    try {
      const { header } = await withClient((client) => client.put({ key, value }));
      this.#answer.acknowledged.push([key, value]);
      const revision = header?.revision ?? 0;
      if (revision <= this.#revision) this.#answer.wentBack.push(`${revision} after ${this.#revision}`);
      this.#revision = revision;
      return 'acknowledged';
    } catch (error) {
      return (error as { code?: number }).code === status.PERMISSION_DENIED ? 'refused' : 'unknown';
    }
  }
}

/** With a connection of its own: what one asks while its nats-server goes away has no answer for seconds. */
async function withLog<T>(use: (end: () => Promise<number>) => Promise<T>): Promise<T> {
  const pass = process.env[passwordVariable] ?? '';
  const connection = await connectToNats({ user: servicesUser, pass, inboxPrefix: 'twonode.inbox' });
  try {
    const manager = await streamManager(connection);
    return await use(async () => {
      const [log = ''] = await findLogStreams(manager);
      return (await findStream(manager, log))?.state.last_seq ?? 0;
    });
  } finally {
    await connection.close();
  }
}

/** @returns when this node's copy of the log reached a record */
function untilStored(sequence: number): Promise<number> {
  return withLog(async (end) => {
    const deadline = performance.now() + answerLimitMs;
    while ((await end()) < sequence) {
      if (performance.now() > deadline)
        throw new Error(`the copy of the log does not reach record ${sequence}`);
      await delay(storedPollMs);
    }
    return Date.now();
  });
}

const preciseNowMs = () => performance.timeOrigin + performance.now();

async function timedPuts({ prefix, count, pauseMs }: { prefix: string; count: number; pauseMs: number }) {
  return withClient(async (client) => {
    const written: TimedKey[] = [];
    for (let i = 0; i < count; i++) {
      const key = `${prefix}${i}`;
      await client.put({ key, value: 'timed' });
      written.push([key, preciseNowMs()]);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    return written;
  });
}

/** Notes when each key was seen. */
class TimedWatch {
  readonly #client = new EtcdClient(etcdAddress);
  readonly #stream = this.#client.watch();
  readonly #seen: TimedKey[] = [];
  readonly begun: Promise<void>;
  #stopped = false;

  constructor(prefix: string) {
    this.#stream.create({ key: prefix, rangeEnd: `${prefix.slice(0, -1)}0` });
    this.begun = this.#stream.next().then(() => void this.#read());
  }

  stop(): TimedKey[] {
    this.#stopped = true;
    this.#stream.cancel();
    this.#client.close();
    return this.#seen;
  }

  async #read(): Promise<void> {
    while (!this.#stopped) {
      const { events } = await this.#stream.next(answerLimitMs).catch(() => ({ events: [] }));
      for (const { kv } of events) if (kv) this.#seen.push([kv.key, preciseNowMs()]);
    }
  }
}

async function perform(request: ClientRequest): Promise<unknown> {
  switch (request.call) {
    case 'put':
      await withClient((client) => client.put(request));
      return null;
    case 'until-served':
      await untilServed();
      return null;
    case 'list':
      return list(request.prefix);
    case 'digest':
      return digest(request.revision);
    case 'start-load':
      load = new Load(request.prefix);
      return null;
    case 'stop-load':
      return load?.stop();
    case 'timed-puts':
      return timedPuts(request);
    case 'start-watch':
      watch = new TimedWatch(request.prefix);
      return watch.begun;
    case 'stop-watch':
      return watch?.stop();
    case 'log-end':
      return withLog((end) => end());
    case 'until-stored':
      return untilStored(request.sequence);
    case 'start-informer':
      informer = await Informer.start(request.access, request.prefix);
      return null;
    case 'stop-informer':
      return informer?.stop();
  }
}

process.on('message', ({ id, ...request }: ClientRequest & { id: number }) => {
  perform(request).then(
    (result) => process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: error.message }),
  );
});
process.on('disconnect', () => process.exit(0));
await watchState(process.argv[2] ?? '');
