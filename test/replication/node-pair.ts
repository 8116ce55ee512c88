import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection } from 'nats';
import { pino } from 'pino';
import { createLink, type SwitchedLink } from '../../cli/cluster/relay/link.ts';
import { relayTcp } from '../../cli/cluster/relay/tcp.ts';
import { serveConflicts } from '../../services/shim/conflicts/service.ts';
import { deleteRangeRequest, leaseGrantRequest, putRequest } from '../../services/shim/etcd/messages.ts';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import type { ConflictPolicy } from '../../services/shim/log/record.ts';
import { FollowerNode } from '../../services/shim/node/follower-node.ts';
import { LeaderNode } from '../../services/shim/node/leader-node.ts';
import type { NodeContext, ShimNode } from '../../services/shim/node/node.ts';
import type { CurrentState } from '../../services/shim/state/service.ts';
import { readKeyValue } from '../../services/shim/store/key-value.ts';
import { VerifiedPoint } from '../../services/shim/verified-point.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { mutationLists } from '../../shared/mutation/lists.ts';
import { type ServerPair, startServerPair } from '../../shared/nats-server/testing.ts';
import type { NodeState } from '../../shared/node.ts';
import { nodePaths } from '../../shared/paths.ts';

/**
 * Two datastores on two real nats-servers with a real leaf link, in this process. In place of the state machine stands the
 * part of it that replication depends on: a follower that is cut off, or whose leader is away or has failed, leads restricted;
 * a log link that is down for another reason changes no state so soon.
 */
export interface NodePair {
  servers: ServerPair;
  config: TwoNodeConfiguration;
  link: SwitchedLink;
  leader: RunningNode;
  follower: RunningNode;
  /** Stops a node with its nats-server, changes what it keeps, and starts both again. */
  changeStore(name: 'node-a' | 'node-b', change: (folders: NodeFolders) => void): Promise<void>;
  /** Does the same beneath a node which goes on running. */
  changeStoreBeneath(name: 'node-a' | 'node-b', change: (folders: NodeFolders) => void): Promise<void>;
  /**
   * Stops both nodes with their nats-servers, exchanges the roles in the configuration, and starts those that are named again.
   * `leader` and `follower` stay the nodes that they were.
   */
  exchangeRoles(started?: ('node-a' | 'node-b')[]): Promise<void>;
  /** Starts a node, and its nats-server, that {@link exchangeRoles} left stopped; with the roles of before where that is said. */
  startStopped(name: 'node-a' | 'node-b', roles?: 'as configured' | 'as before'): Promise<void>;
  stop(): Promise<void>;
}

/** Where a node keeps what it needs. */
export interface NodeFolders {
  /** All of it. */
  root: string;
  /** JetStream's store. */
  store: string;
}

export interface PairOptions {
  quotaBytes?: number;
  conflictPolicy?: ConflictPolicy;
  /** What may be written in LeaderRX; default: everything. */
  approvedMutationList?: TwoNodeConfiguration['approvedMutationList'];
  /** Whether the leader may begin a new cluster. */
  init?: boolean;
  /** What the follower's configuration says otherwise than the leader's. */
  followerConfig?: Partial<TwoNodeConfiguration>;
}

const relayAddress = '127.0.1.1';

export async function startNodePair(options: PairOptions = {}): Promise<NodePair> {
  const servers = await startServerPair(relayAddress);
  const link = createLink();
  const port = servers.config.nodes[0]?.ports.leaf ?? 0;
  const relay = await relayTcp(
    { protocol: 'tcp', from: { host: relayAddress, port }, to: { host: '127.0.0.1', port } },
    link,
  );
  const config: TwoNodeConfiguration = {
    ...servers.config,
    defaults: 'replace',
    approvedMutationList: options.approvedMutationList ?? [{ resources: ['*'] }],
    datastore: {
      ...servers.config.datastore,
      quotaBackendBytes: options.quotaBytes ?? 2 ** 30,
      conflictPolicy: options.conflictPolicy ?? 'leader-wins',
    },
    states: { ...servers.config.states, bootGrace: 600_000 },
  };
  const leader = new RunningNode(servers, config, 'node-a', () => link.isCut);
  const followerConfig = { ...config, ...options.followerConfig };
  const follower = new RunningNode(servers, followerConfig, 'node-b', () => link.isCut || leader.hasFailed);
  if (options.init !== false) leader.allowInit();
  await leader.open();
  await follower.open();
  const running = { 'node-a': servers.leader, 'node-b': servers.follower };
  const nodes = { 'node-a': leader, 'node-b': follower };
  let roles = { now: config, before: config };
  const startStopped: NodePair['startStopped'] = async (name, which = 'as configured') => {
    const configured = which === 'as configured' ? roles.now : roles.before;
    running[name] = await servers.start(name, configured);
    nodes[name].configure(configured);
    await nodes[name].open();
  };
  const changeStoreBeneath: NodePair['changeStoreBeneath'] = async (name, change) => {
    await running[name].stop();
    const { root, nats } = nodePaths(config, name);
    change({ root, store: join(nats, 'jetstream') });
    running[name] = await servers.start(name, roles.now);
  };
  return {
    servers,
    config,
    link,
    leader,
    follower,
    changeStore: async (name, change) => {
      await nodes[name].close();
      await changeStoreBeneath(name, change);
      await nodes[name].open();
    },
    changeStoreBeneath,
    exchangeRoles: async (started = ['node-a', 'node-b']) => {
      for (const name of ['node-a', 'node-b'] as const) {
        await nodes[name].close();
        await running[name].stop();
      }
      roles = { now: exchanged(roles.now), before: roles.now };
      for (const name of started) await startStopped(name);
    },
    startStopped,
    stop: async () => {
      await leader.close();
      await follower.close();
      relay.close();
      await servers.stop();
    },
  };
}

function exchanged(config: TwoNodeConfiguration): TwoNodeConfiguration {
  const nodes = config.nodes.map((node) => ({
    ...node,
    role: node.role === 'leader' ? ('follower' as const) : ('leader' as const),
  }));
  return { ...config, nodes: nodes as TwoNodeConfiguration['nodes'] };
}

/** One node's datastore, which can be stopped and opened again on the same data. */
export class RunningNode {
  readonly #servers: ServerPair;
  #config: TwoNodeConfiguration;
  readonly #name: 'node-a' | 'node-b';
  readonly #isPeerLost: () => boolean;
  #connection: NatsConnection | null = null;
  #node: ShimNode | null = null;
  #supposed: NodeState | null = null;
  /** What the prober would have measured: the peer's clock minus this node's. */
  clockOffsetMs: number | null = 0;
  /** Whether the wait after boot is over without the peer having been heard. */
  bootGraceIsOver = false;
  #boots = 1;
  readonly #waiting = new Set<() => void>();
  #restarting: Promise<void> = Promise.resolve();

  constructor(
    servers: ServerPair,
    config: TwoNodeConfiguration,
    name: 'node-a' | 'node-b',
    isPeerLost: () => boolean,
  ) {
    this.#servers = servers;
    this.#config = config;
    this.#name = name;
    this.#isPeerLost = isPeerLost;
  }

  /** The configuration with which it is opened next. */
  configure(config: TwoNodeConfiguration): void {
    this.#config = config;
  }

  /** Whether it is closed, or its own datastore says that it has failed. */
  get hasFailed(): boolean {
    return !this.#node || this.#node.facts().failure !== null;
  }

  get node(): ShimNode {
    if (!this.#node) throw new Error(`${this.#name} is not open`);
    return this.#node;
  }

  allowInit(): void {
    const paths = nodePaths(this.#config, this.#name);
    mkdirSync(paths.root, { recursive: true });
    writeFileSync(paths.initMark, '');
  }

  async open(): Promise<void> {
    const pair = nodePair(this.#config, this.#name);
    const paths = nodePaths(this.#config, this.#name);
    mkdirSync(paths.root, { recursive: true });
    this.#connection = await this.#servers.connect(this.#name, 'services');
    const logger = pino(
      { level: process.env.TWONODE_TEST_LOG ?? 'silent' },
      pino.destination({ fd: 2, sync: true }),
    );
    const context: NodeContext = {
      config: this.#config,
      pair,
      paths,
      connection: this.#connection,
      manager: await streamManager(this.#connection),
      lists: mutationLists(this.#config, this.#name),
      verifiedPoint: new VerifiedPoint(paths.shimFile, `boot-${this.#boots}`),
      state: () => this.#state(),
      onFacts: () => this.#factsChanged(),
      onWritten: () => undefined,
      onJudged: () => undefined,
      onLost: (error) => logger.fatal({ err: error }, 'the log is lost'),
      restart: (why) => {
        logger.warn({ why }, 'the node starts anew');
        this.#restarting = this.#restart();
      },
      logger,
    };
    const open = pair.self.role === 'leader' ? LeaderNode.open : FollowerNode.open;
    this.#node = await open(context);
    this.#factsChanged();
    serveConflicts({ connection: this.#connection, node: this.#name, backend: this.#node, logger });
  }

  #factsChanged(): void {
    this.#node?.stateChanged();
    for (const look of this.#waiting) look();
  }

  async close(): Promise<void> {
    await this.#restarting;
    await this.#node?.stop();
    this.#node = null;
    await this.#connection?.close();
  }

  async restart(): Promise<void> {
    await this.close();
    await this.open();
  }

  /** Stops on purpose, and starts in another boot of the machine. */
  async reboot(): Promise<void> {
    await this.close();
    this.#boots++;
    await this.open();
  }

  /** Starts in another boot of the machine, after its power failed. */
  async powerCycle(): Promise<void> {
    this.#boots++;
    await this.kill();
  }

  /** Starts again as after kill -9: nothing that was under way is finished. */
  async kill(): Promise<void> {
    this.#restarting = this.#restart();
    await this.#restarting;
  }

  async #restart(): Promise<void> {
    const node = this.#node;
    this.#node = null;
    await this.#connection?.close();
    const { shimFile } = nodePaths(this.#config, this.#name);
    const point = existsSync(shimFile) ? readFileSync(shimFile) : null;
    await node?.stop().catch(() => undefined);
    // What a stop on purpose says is not said.
    if (point) writeFileSync(shimFile, point);
    else rmSync(shimFile, { force: true });
    await this.open();
  }

  /** Holds the state, as the state machine does until it has decided; null: lets it follow the facts again. */
  suppose(state: NodeState | null): void {
    this.#supposed = state;
    this.node.stateChanged();
  }

  #state(): CurrentState {
    const facts = this.#node?.facts();
    const alone = !facts?.reconverged || (facts.logLink === 'down' && this.#isPeerLost());
    const { self } = nodePair(this.#config, this.#name);
    const whole = self.role === 'leader' ? 'Leader' : alone ? 'LeaderRX' : 'Follower';
    const state = this.#supposed ?? (facts?.failure || !facts?.logVerified ? 'Impaired' : whole);
    const heard = !this.bootGraceIsOver;
    const peer = { node: 'peer', state: null, reason: null, heard, age_ms: 0 };
    return {
      state,
      reason: this.bootGraceIsOver ? 'unverified-log' : null,
      text: 'peer unreachable',
      sinceMs: 0,
      reasonSinceMs: 0,
      warnings: [],
      peer,
      clockOffsetMs: this.clockOffsetMs,
    };
  }

  /** Resolves when what the node tells its state machine is as expected. */
  async until(expected: (facts: ReturnType<ShimNode['facts']>) => boolean, limitMs = 20_000): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const end = (error?: Error) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        if (error) reject(error);
        else resolve();
      };
      const timer = setTimeout(() => end(new Error(`still ${JSON.stringify(this.#node?.facts())}`)), limitMs);
      const look = () => {
        if (this.#node && expected(this.#node.facts())) end();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Resolves when it follows, and holds all that was acknowledged before. */
  async follows(): Promise<void> {
    await this.until((facts) => facts.logVerified && facts.logLink === 'works' && facts.reconverged);
    await this.node.linearizable();
  }

  isAlone(): Promise<void> {
    return this.until((facts) => facts.logLink === 'down');
  }

  async put(key: string, value: string, lease = 0n): Promise<void> {
    await this.node.write('Put', Buffer.from(putRequest.encode({ key, value: Buffer.from(value), lease })));
  }

  async grantLease(id: bigint): Promise<void> {
    await this.node.write('LeaseGrant', Buffer.from(leaseGrantRequest.encode({ ttl: 600, id })));
  }

  async delete(key: string): Promise<void> {
    await this.node.write('DeleteRange', Buffer.from(deleteRangeRequest.encode({ key })));
  }

  /** A linearizable read. */
  async get(key: string): Promise<string | undefined> {
    await this.node.linearizable();
    return this.now().get(key);
  }

  /** What readers see now: values by key. */
  now(): Map<string, string> {
    return new Map(this.#kvs().map(({ key, value }) => [key, value.toString()]));
  }

  /** Everything that readers see, with all its numbers. */
  async contents(): Promise<string[]> {
    await this.node.linearizable();
    return this.#kvs().map(
      (kv) => `${kv.key} ${kv.createRevision} ${kv.modRevision} ${kv.version} ${kv.value}`,
    );
  }

  #kvs() {
    const { store } = this.node.database;
    return store
      .range({ key: '', end: null, revision: store.visible })
      .map(({ bytes }) => readKeyValue(bytes));
  }
}
