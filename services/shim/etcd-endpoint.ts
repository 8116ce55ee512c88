import { randomBytes } from 'node:crypto';
import { join, resolve } from 'node:path';
import { findBinary } from '../../shared/binaries/find.ts';
import { connectBus } from '../../shared/bus.ts';
import { onShutdown, UserError } from '../../shared/lifecycle.ts';
import { createLogger, type Logger } from '../../shared/logger.ts';
import { createRegistry, serveMetrics } from '../../shared/metrics.ts';
import { freeNatsPorts, startNatsServer } from '../../shared/nats-server/child.ts';
import { servicesUser, singleNodeConfig } from '../../shared/nats-server/config.ts';
import { watchFreeDisk } from '../../shared/nats-server/free-disk-watch.ts';
import { logStream, singleNode } from '../../shared/nats-server/names.ts';
import { etcdShimFile } from '../../shared/paths.ts';
import { subjects } from '../../shared/subjects.ts';
import type { Backend, WriteMethod } from './backend.ts';
import {
  checkListenAddresses,
  listenForClients,
  parseClientUrl,
  type TlsFlags,
  tlsOptions,
} from './client-urls.ts';
import { etcdServices, grpcOverheadBytes } from './etcd/api.ts';
import { registerCallMetrics } from './etcd/call-metrics.ts';
import { GrpcServer, type TlsOptions } from './etcd/grpc/server.ts';
import { headerIdentity, idOf } from './etcd/identity.ts';
import { LeaseExpiry } from './lease/expiry.ts';
import { newLeaseIds } from './lease/ids.ts';
import { LocalWrites } from './local-writes.ts';
import { LogCleaner } from './log/cleaner.ts';
import { beginEpoch, nextEpoch, openLog, openLogWriter } from './log/owned-log.ts';
import { LogEnd } from './log-end.ts';
import { registerLogMetrics, registerStoreMetrics } from './metrics.ts';
import { Quota, streamBytesMax } from './quota.ts';
import { WatchHub } from './watch/watch-hub.ts';

/** The flags of `twonode etcd`, with etcd's names. Sizes in bytes, intervals in milliseconds. */
export interface EtcdOptions extends TlsFlags {
  listenClientUrls: string[];
  dataDir: string;
  quotaBackendBytes: number;
  maxRequestBytes: number;
  watchProgressNotifyIntervalMs: number;
  /** Where `/metrics`, `/healthz` and `/readyz` are served; nowhere when it is not given. */
  listenMetricsUrl?: string;
  logLevel: string;
}

/** etcd's limit for a request that waits for consensus. */
const requestTimeoutMs = 7_000;
const stopLimitMs = 20_000;
/** Less free space than this, in percent, is a full disk; as the default of a node's storage probe. */
const minFreePercent = 3;
/** How long calls may take to finish when it stops. */
const callsLimitMs = 2_000;

/** Where an endpoint listens, checked. */
interface Listeners {
  addresses: ReturnType<typeof parseClientUrl>[];
  tls: TlsOptions | null;
  metrics: { host: string; port: number } | null;
}

/**
 * One etcd endpoint on an embedded nats-server: no peer, no configuration file, no restricted state. Prints one line on
 * stdout when it is ready; SIGTERM stops it and its nats-server.
 * @throws UserError
 */
export async function runEtcd(options: EtcdOptions): Promise<void> {
  const logger = createLogger('etcd', options.logLevel);
  const listeners = await checkListeners(options);
  const password = randomBytes(16).toString('hex');
  const ports = await freeNatsPorts(portsOf(listeners));
  const folder = join(resolve(options.dataDir), 'nats');
  const natsServer = await startNatsServer({
    binary: await findBinary('nats-server'),
    config: singleNodeConfig(singleNode, folder, ports, { services: password }),
    folder,
    ports,
    logger,
  });
  const endpoint = await openEndpoint(options, listeners, { url: natsServer.url, password }, logger);
  const stopWatch = watchFreeDisk({
    monitoringPort: ports.monitoring,
    folder,
    minFreePercent,
    restart: () => natsServer.restart(),
    logger,
  });
  onShutdown(logger, stopLimitMs, async () => {
    stopWatch();
    await endpoint.close();
    await natsServer.stop();
  });
  process.stdout.write(`ready: etcd v3 on ${options.listenClientUrls.join(', ')}\n`);
}

/** What it is to listen on itself once its nats-server runs. */
function portsOf({ addresses, metrics }: Listeners): number[] {
  return [...addresses, ...(metrics ? [metrics] : [])].flatMap((at) => ('port' in at ? [at.port] : []));
}

/** @throws UserError */
export async function checkListeners(options: EtcdOptions): Promise<Listeners> {
  const addresses = options.listenClientUrls.map((url) => parseClientUrl(url, '--listen-client-urls'));
  const metrics = options.listenMetricsUrl ? metricsAddressOf(options.listenMetricsUrl) : null;
  const tls = tlsOptions(options);
  await checkListenAddresses(addresses, tls);
  return { addresses, tls, metrics };
}

/**
 * Reads the log on a nats-server of {@link singleNodeConfig} and serves it.
 * @throws UserError
 */
export async function openEndpoint(
  options: EtcdOptions,
  listeners: Listeners,
  nats: { url: string; password: string },
  logger: Logger,
): Promise<{ close(): Promise<void> }> {
  const registry = createRegistry();
  const connection = await connectBus({ ...nats, name: 'etcd', user: servicesUser, logger });
  const logOptions = {
    connection,
    stream: logStream(1),
    subject: subjects.logRecords,
    maxBytes: streamBytesMax(options.quotaBackendBytes),
    logger,
  };
  const log = await openLog(logOptions);
  const logEnd = new LogEnd(etcdShimFile(options.dataDir), logger);
  logEnd.check(log.position);
  await log.raiseLimit();
  const epoch = nextEpoch(log.database, log.position);
  const watches = new WatchHub(log.database.store);
  const commit = await openLogWriter({
    ...logOptions,
    log,
    epoch: epoch.number,
    onWritten: registerLogMetrics(registry),
    replicated: () => Promise.resolve(),
    onVisible: (from, to) => watches.notify(from, to),
    onFenced: (error) => {
      logger.fatal({ err: error }, 'another process writes to this log');
      process.exit(1);
    },
  });
  await beginEpoch(commit, log.database, epoch, singleNode);
  logEnd.follow(() => commit.position);

  const memberId = idOf(singleNode);
  const identity = headerIdentity(idOf('twonode'), memberId, epoch.number);
  const writes = new LocalWrites({
    database: log.database,
    commit,
    expiry: new LeaseExpiry(),
    identity,
    memberId,
    quota: new Quota(options.quotaBackendBytes, log.bytes),
    newLeaseId: newLeaseIds(0),
    monotonicMs: () => performance.now(),
    onCompacted: () => cleaner.poke(),
    makeRoom: () => cleaner.makeRoom(),
    logger,
  });
  const cleaner = new LogCleaner({
    database: log.database,
    cleaned: log.database,
    commit,
    records: log.records,
    bytes: log.bytes,
    purge: log.purge,
    isCopied: () => true,
    quotaBytes: options.quotaBackendBytes,
    logger,
  });
  cleaner.start();
  const backend: Backend = {
    database: log.database,
    watches,
    identity,
    linearizable: () => Promise.resolve(),
    write: (method: WriteMethod, request: Buffer) => writes.write(method, request),
    cluster: {
      memberId,
      leaderId: () => memberId,
      term: () => epoch.number,
      logSequence: () => commit.position.sequence,
      pendingWrites: () => commit.waiting,
      logBytes: log.bytes,
      quotaBytes: options.quotaBackendBytes,
      members: () => [{ id: memberId, name: 'default', clientUrl: options.listenClientUrls[0] ?? '' }],
    },
  };
  const server = new GrpcServer(
    etcdServices({
      backend,
      maxRequestBytes: options.maxRequestBytes,
      watchProgressIntervalMs: options.watchProgressNotifyIntervalMs,
      requestTimeoutMs,
    }),
    {
      maxMessageBytes: options.maxRequestBytes + grpcOverheadBytes,
      observer: registerCallMetrics(registry),
      onFault: (method, error) => logger.error({ err: error, method }, 'a call failed'),
    },
  );
  for (const address of listeners.addresses) await listenForClients(server, address, listeners.tls);
  registerStoreMetrics(registry, backend);
  if (listeners.metrics) {
    await serveMetrics(listeners.metrics.port, {
      registry,
      host: listeners.metrics.host,
      healthy: () => (connection.isClosed() ? 'the connection to nats-server is closed' : null),
      ready: () => null,
    });
  }
  return {
    close: async () => {
      await server.stop(callsLimitMs);
      cleaner.stop();
      writes.stop(new UserError('stopping'));
      await logEnd.stop(commit.position);
      await connection.close();
    },
  };
}

/** @throws UserError */
function metricsAddressOf(url: string): { host: string; port: number } {
  const address = parseClientUrl(url, '--listen-metrics-urls');
  if ('socket' in address || address.tls)
    throw new UserError(`--listen-metrics-urls: "${url}" must be an http URL`);
  return address;
}
