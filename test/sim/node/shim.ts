import { Registry } from 'prom-client';
import { etcdServices, grpcOverheadBytes } from '../../../services/shim/etcd/api.ts';
import { EtcdError, etcdErrors } from '../../../services/shim/etcd/errors.ts';
import type { Service, StreamCall } from '../../../services/shim/etcd/transport.ts';
import { streamManager } from '../../../services/shim/log/owned-log.ts';
import { FollowerNode } from '../../../services/shim/node/follower-node.ts';
import { LeaderNode } from '../../../services/shim/node/leader-node.ts';
import type { NodeContext, ShimNode } from '../../../services/shim/node/node.ts';
import {
  type CurrentState,
  type StateService,
  startStateService,
} from '../../../services/shim/state/service.ts';
import { VerifiedPoint } from '../../../services/shim/verified-point.ts';
import { whileConnected } from '../../../shared/bus.ts';
import { nodePair, type TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { MutationLists } from '../../../shared/mutation/lists.ts';
import { nodePaths } from '../../../shared/paths.ts';
import type { SimulatedProcess } from '../clock/process.ts';
import type { SimulatedConnection } from '../nats/connection.ts';
import type { NodeName } from '../network.ts';

const requestTimeoutMs = 7_000;
const watchProgressIntervalMs = 600_000;

export interface ShimWorld {
  config: TwoNodeConfiguration;
  node: NodeName;
  bootId: string;
  process: SimulatedProcess;
  connection: SimulatedConnection;
  lists: MutationLists;
  logger: Logger;
  onState: (state: CurrentState) => void;
  /** The process ends itself, or fails to start. */
  onExit: (error: Error) => void;
}

/** The shim of one node: all of it real, but its gRPC server and its entry point. */
export class SimulatedShim {
  readonly #world: ShimWorld;
  #states: StateService | null = null;
  #node: ShimNode | null = null;
  #services = new Map<string, Service>();

  /** Runs in the shim's process. */
  constructor(world: ShimWorld) {
    this.#world = world;
    void this.#start().catch((error: Error) => world.onExit(error));
  }

  get process(): SimulatedProcess {
    return this.#world.process;
  }

  get node(): ShimNode | null {
    return this.#node;
  }

  /** Null before the first verdict. */
  get state(): CurrentState | null {
    return this.#states?.current() ?? null;
  }

  /** As `runShim` does it. */
  async #start(): Promise<void> {
    const { config, node: name, bootId, connection, lists, logger, onState, onExit } = this.#world;
    const pair = nodePair(config, name);
    const paths = nodePaths(config, name);
    let opened: ShimNode | null = null;
    await connection.established;
    const states = await startStateService({
      config,
      node: name,
      connection: connection.nats,
      logger,
      registry: new Registry(),
      paths,
      datastoreFacts: () => opened?.facts() ?? null,
      bootId,
    });
    this.#states = states;
    states.onChange(onState);
    onState(states.current());
    const context: NodeContext = {
      config,
      pair,
      paths,
      connection: connection.nats,
      manager: await streamManager(connection.nats),
      lists,
      verifiedPoint: new VerifiedPoint(paths.shimFile, bootId),
      state: () => states.current(),
      onFacts: () => states.poke(),
      onLost: onExit,
      restart: (why) => onExit(new Error(why)),
      onWritten: () => undefined,
      onJudged: () => undefined,
      logger,
    };
    const open = pair.self.role === 'leader' ? LeaderNode.open : FollowerNode.open;
    const node = await whileConnected<ShimNode>(connection.nats, open(context));
    opened = node;
    this.#node = node;
    states.poke();
    states.onChange(() => node.stateChanged());
    const services = etcdServices({
      backend: node,
      maxRequestBytes: config.datastore.maxRequestBytes,
      watchProgressIntervalMs,
      requestTimeoutMs,
    });
    for (const service of services) this.#services.set(service.name, service);
  }

  /** SIGTERM, as `runShim` takes it: finishes what it has begun, and ends. */
  async stop(): Promise<void> {
    this.#services = new Map();
    await this.#node?.stop();
    await this.#states?.stop();
    this.process.kill();
  }

  /** A unary call of a client. @throws EtcdError */
  async call(service: string, method: string, request: Buffer): Promise<Buffer> {
    const handler = this.#services.get(`etcdserverpb.${service}`)?.unary[method];
    if (!handler) throw etcdErrors.stopped();
    if (request.length > this.#world.config.datastore.maxRequestBytes + grpcOverheadBytes)
      throw etcdErrors.requestTooLarge();
    try {
      const answer = await handler(request, () => undefined);
      return Buffer.concat(answer instanceof Uint8Array ? [answer] : [...answer.pieces]);
    } catch (error) {
      if (error instanceof EtcdError) throw error;
      throw new Error(`${service}.${method} failed with what is no answer: ${(error as Error).stack}`);
    }
  }

  /** A streaming call of a client. @throws EtcdError while it does not serve yet */
  stream(service: string, method: string, call: StreamCall): void {
    const handler = this.#services.get(`etcdserverpb.${service}`)?.streaming[method];
    if (!handler) throw etcdErrors.stopped();
    handler(call);
  }
}
