import { mkdirSync } from 'node:fs';
import { readBootId } from '../../shared/boot-id.ts';
import { connectBus, whileConnected } from '../../shared/bus.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { onShutdown, UserError } from '../../shared/lifecycle.ts';
import { createLogger } from '../../shared/logger.ts';
import { createRegistry, serveMetrics } from '../../shared/metrics.ts';
import { mutationLists } from '../../shared/mutation/lists.ts';
import { servicesUser } from '../../shared/nats-server/config.ts';
import { nodePaths } from '../../shared/paths.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { serveConflicts } from './conflicts/service.ts';
import { etcdServices, grpcOverheadBytes } from './etcd/api.ts';
import { registerCallMetrics } from './etcd/call-metrics.ts';
import { GrpcServer } from './etcd/grpc/server.ts';
import { streamManager } from './log/owned-log.ts';
import { registerLogMetrics, registerReplicationMetrics, registerStoreMetrics } from './metrics.ts';
import { FollowerNode } from './node/follower-node.ts';
import { registerJudgedWrites } from './node/judged-writes.ts';
import { LeaderNode } from './node/leader-node.ts';
import type { NodeContext, ShimNode } from './node/node.ts';
import { type StateService, startStateService } from './state/service.ts';
import { VerifiedPoint } from './verified-point.ts';

/** etcd's defaults: a request that waits for consensus, and idle watchers' progress. In milliseconds. */
const requestTimeoutMs = 7_000;
const watchProgressIntervalMs = 600_000;
const stopLimitMs = 15_000;
/** How long calls may take to finish when it stops. */
const callsLimitMs = 2_000;

/**
 * Runs the shim of one node: the etcd v3 endpoint on the log, and the state machine. Resolves when it serves.
 * @throws UserError
 */
export async function runShim(config: TwoNodeConfiguration, name: string): Promise<void> {
  const pair = nodePair(config, name);
  const paths = nodePaths(config, name);
  const logger = createLogger('shim', config.logLevel, { node: name });
  mkdirSync(paths.root, { recursive: true, mode: 0o700 });
  const { ports } = pair.self;
  const connection = await connectBus({
    url: `nats://127.0.0.1:${ports.nats}`,
    name: 'shim',
    user: servicesUser,
    password: deriveSecret(readClusterKey(paths.clusterKey), 'services'),
    logger,
  });

  // The state machine and the datastore need each other: until the datastore is open, the node is starting.
  let node: ShimNode | null = null;
  const registry = createRegistry();
  const states: StateService = await startStateService({
    config,
    node: name,
    connection,
    logger,
    registry,
    paths,
    datastoreFacts: () => node?.facts() ?? null,
  });
  const context: NodeContext = {
    config,
    pair,
    paths,
    connection,
    manager: await streamManager(connection),
    lists: mutationLists(config, name),
    verifiedPoint: new VerifiedPoint(paths.shimFile, readBootId()),
    state: () => states.current(),
    onWritten: registerLogMetrics(registry),
    onJudged: registerJudgedWrites(registry),
    onFacts: () => states.poke(),
    onLost: (error) => {
      // Started again it reads the log anew, and finds out what is true now.
      logger.fatal({ err: error }, 'the shim cannot go on with its log');
      process.exit(1);
    },
    restart: (why) => {
      logger.warn({ why }, 'the shim starts anew');
      process.exit(1);
    },
    logger,
  };
  const open = pair.self.role === 'leader' ? LeaderNode.open : FollowerNode.open;
  const opened = await whileConnected<ShimNode>(connection, open(context));
  node = opened;
  states.poke();
  states.onChange(() => opened.stateChanged());

  registerStoreMetrics(registry, opened);
  serveConflicts({ connection, node: name, backend: opened, logger });
  registerReplicationMetrics(registry, () => opened.replication());
  const server = new GrpcServer(
    etcdServices({
      backend: opened,
      maxRequestBytes: config.datastore.maxRequestBytes,
      watchProgressIntervalMs,
      requestTimeoutMs,
    }),
    {
      maxMessageBytes: config.datastore.maxRequestBytes + grpcOverheadBytes,
      observer: registerCallMetrics(registry),
      onFault: (method, error) => logger.error({ err: error, method }, 'a call failed'),
    },
  );
  const address = `127.0.0.1:${ports.etcd}`;
  await server.listen({ host: '127.0.0.1', port: ports.etcd }).catch((error: Error) => {
    throw new UserError(`the shim cannot listen on ${address}: ${error.message}`);
  });
  await serveMetrics(ports.shimMetrics, {
    registry,
    healthy: () => (connection.isClosed() ? 'the connection to nats-server is closed' : null),
    ready: () => (opened.facts().neverJoined ? 'this node has never joined its leader' : null),
  });
  onShutdown(logger, stopLimitMs, async () => {
    await server.stop(callsLimitMs);
    await opened.stop();
    await states.stop();
    await connection.close();
  });
  logger.info({ etcd: address, role: pair.self.role }, 'the shim serves');
}
