import { createHash } from 'node:crypto';
import { connect as connectTcp } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { type ConnectionOptions, connect, type NatsConnection } from 'nats';
import { askConflicts } from '../../cli/conflicts/ask.ts';
import { hashKvRequest, hashKvResponse } from '../../services/shim/etcd/messages.ts';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { findLogStreams, findStream } from '../../services/shim/log/stream.ts';
import type { ConflictView } from '../../shared/conflicts.ts';
import { decodeMessage, stateSchema } from '../../shared/messages.ts';
import { servicesUser } from '../../shared/nats-server/config.ts';
import { subjects } from '../../shared/subjects.ts';
import { EtcdClient } from '../etcd-client.ts';
import { eventually } from '../eventually.ts';
import { etcdAddress, withClient } from './client-etcd.ts';
import { Load } from './client-load.ts';
import {
  type ClientRequest,
  type DigestAnswer,
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
/** A watch may be silent for so long, in milliseconds. */
const answerLimitMs = 60_000;
/** How often it is looked whether a record is stored, in milliseconds. */
const storedPollMs = 5;

const [, , node = ''] = process.argv;
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

async function watchState(): Promise<void> {
  const connection = await connectToNats();
  for await (const message of connection.subscribe(subjects.state(node))) {
    const decoded = decodeMessage(stateSchema, message.data);
    if (!decoded.ok) continue;
    load?.saw(decoded.value);
    process.send?.({ state: decoded.value, atMs: Date.now() });
  }
}

function list(prefix: string): Promise<StoredKey[]> {
  return withClient(async (client) => {
    const { kvs } = await client.range({ key: prefix, rangeEnd: `${prefix.slice(0, -1)}0` });
    return kvs.map(({ key, value, modRevision }) => ({ key, value: value.toString(), modRevision }));
  });
}

/** As `twonode conflicts list` and `show` ask the node's own shim. */
async function conflicts(config: string, prefix: string): Promise<ConflictView[]> {
  const flags = { config, node };
  const shown: ConflictView[] = [];
  for (const { id, key } of await askConflicts(flags, { v: 1, op: 'list' })) {
    if (key.startsWith(prefix)) shown.push(...(await askConflicts(flags, { v: 1, op: 'show', id })));
  }
  return shown;
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
      return (await withClient((client) => client.put(request))).header?.revision;
    case 'until-served':
      await untilServed();
      return null;
    case 'list':
      return list(request.prefix);
    case 'conflicts':
      return conflicts(request.config, request.prefix);
    case 'digest':
      return digest(request.revision);
    case 'start-load':
      load = new Load(node, request.keys);
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
await watchState();
