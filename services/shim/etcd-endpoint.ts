import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ServerCredentials } from '@grpc/grpc-js';
import { findBinary } from '../../shared/binaries/find.ts';
import { connectBus } from '../../shared/bus.ts';
import { onShutdown, UserError } from '../../shared/lifecycle.ts';
import { createLogger } from '../../shared/logger.ts';
import { startNatsServer } from '../../shared/nats-server/child.ts';
import { servicesUser, singleNodeConfig } from '../../shared/nats-server/config.ts';
import { logStream } from '../../shared/nats-server/names.ts';
import { freePort } from '../../shared/process/ports.ts';
import { subjects } from '../../shared/subjects.ts';
import type { Backend, WriteMethod } from './backend.ts';
import { etcdServices, grpcOverheadBytes } from './etcd/api.ts';
import { createGrpcServer, listen, noObserver } from './etcd/grpc-server.ts';
import { headerIdentity, idOf } from './etcd/identity.ts';
import { LeaseExpiry } from './lease/expiry.ts';
import { newLeaseIds } from './lease/ids.ts';
import { LocalWrites } from './local-writes.ts';
import { LogCleaner } from './log/cleaner.ts';
import { beginEpoch, nextEpoch, openLog, openLogWriter } from './log/owned-log.ts';
import { Quota, streamBytesMax } from './quota.ts';
import { WatchHub } from './watch/watch-hub.ts';

/** The flags of `twonode etcd`, with etcd's names. Sizes in bytes, intervals in milliseconds. */
export interface EtcdOptions {
  listenClientUrls: string[];
  dataDir: string;
  quotaBackendBytes: number;
  maxRequestBytes: number;
  watchProgressNotifyIntervalMs: number;
  certFile?: string;
  keyFile?: string;
  trustedCaFile?: string;
  clientCertAuth?: boolean;
  logLevel: string;
}

/** etcd's limit for a request that waits for consensus. */
const requestTimeoutMs = 7_000;
const stopLimitMs = 20_000;

/**
 * One etcd endpoint on an embedded nats-server: no peer, no configuration file, no restricted state. Prints one line on
 * stdout when it is ready; SIGTERM stops it and its nats-server.
 * @throws UserError
 */
export async function runEtcd(options: EtcdOptions): Promise<void> {
  const logger = createLogger('etcd', options.logLevel);
  const addresses = options.listenClientUrls.map((url) => clientAddress(url, options.certFile !== undefined));
  const credentials = serverCredentials(options);
  const dataDir = resolve(options.dataDir);
  const password = randomBytes(16).toString('hex');
  const ports = { nats: await freePort(), monitoring: await freePort() };
  const folder = join(dataDir, 'nats');
  const natsServer = await startNatsServer({
    binary: await findBinary('nats-server'),
    config: singleNodeConfig('twonode-etcd', folder, ports, { services: password }),
    folder,
    ports,
    logger,
  });
  const connection = await connectBus({
    url: natsServer.url,
    name: 'etcd',
    user: servicesUser,
    password,
    logger,
  });
  const logOptions = {
    connection,
    stream: logStream(1),
    subject: subjects.logRecords,
    maxBytes: streamBytesMax(options.quotaBackendBytes),
    logger,
  };
  const log = await openLog(logOptions);
  const epoch = nextEpoch(log.database, log.position);
  const watches = new WatchHub(log.database.store);
  const commit = await openLogWriter({
    ...logOptions,
    log,
    epoch: epoch.number,
    replicated: () => Promise.resolve(),
    onVisible: (from, to) => watches.notify(from, to),
  });
  await beginEpoch(commit, log.database, epoch);

  const memberId = idOf('twonode-etcd');
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
    logger,
  });
  const cleaner = new LogCleaner({
    database: log.database,
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
  const server = createGrpcServer(
    etcdServices({
      backend,
      maxRequestBytes: options.maxRequestBytes,
      watchProgressIntervalMs: options.watchProgressNotifyIntervalMs,
      requestTimeoutMs,
    }),
    {
      maxMessageBytes: options.maxRequestBytes + grpcOverheadBytes,
      observer: noObserver,
      onFault: (method, error) => logger.error({ err: error, method }, 'a call failed'),
    },
  );
  for (const address of addresses) {
    await listen(server, address, credentials).catch((error: Error) => {
      throw new UserError(`cannot listen on ${address}: ${error.message}`);
    });
  }
  onShutdown(logger, stopLimitMs, async () => {
    server.forceShutdown();
    cleaner.stop();
    writes.stop(new UserError('stopping'));
    await connection.close();
    await natsServer.stop();
  });
  process.stdout.write(`ready: etcd v3 on ${options.listenClientUrls.join(', ')}\n`);
}

/**
 * Host and port of a client URL, or the path of a unix socket, as gRPC takes them.
 * @throws UserError
 */
export function clientAddress(text: string, tls: boolean): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UserError(`--listen-client-urls: "${text}" is not a URL such as http://127.0.0.1:2379`);
  }
  if (url.protocol === 'unix:') return `unix:${url.pathname}`;
  if (url.protocol !== (tls ? 'https:' : 'http:')) {
    const wanted = tls
      ? 'https:// (there is a --cert-file)'
      : 'http:// (https needs --cert-file and --key-file)';
    throw new UserError(`--listen-client-urls: "${text}" must begin with ${wanted}`);
  }
  if (url.port === '') throw new UserError(`--listen-client-urls: "${text}" has no port`);
  return `${url.hostname}:${url.port}`;
}

/** @throws UserError when a file cannot be read */
function serverCredentials(options: EtcdOptions): ServerCredentials {
  const { certFile, keyFile, trustedCaFile, clientCertAuth = false } = options;
  if (!certFile && !keyFile) return ServerCredentials.createInsecure();
  if (!certFile || !keyFile) throw new UserError('--cert-file and --key-file must be given together');
  if (clientCertAuth && !trustedCaFile) throw new UserError('--client-cert-auth needs --trusted-ca-file');
  const read = (flag: string, file: string) => {
    try {
      return readFileSync(file);
    } catch (error) {
      throw new UserError(`${flag}: cannot read ${file} (${(error as NodeJS.ErrnoException).code})`);
    }
  };
  return ServerCredentials.createSsl(
    trustedCaFile ? read('--trusted-ca-file', trustedCaFile) : null,
    [{ cert_chain: read('--cert-file', certFile), private_key: read('--key-file', keyFile) }],
    clientCertAuth,
  );
}
