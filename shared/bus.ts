import { connect, type NatsConnection } from 'nats';
import type { Logger } from './logger.ts';

/** A connection that is not there after this long, in milliseconds, is tried anew: the library would wait for 20 s. */
const connectTimeoutMs = 2_000;

export interface BusOptions {
  /** `nats://127.0.0.1:4222` */
  url: string;
  /** Shown in the server's monitoring: `shim`, `prober`, `webhook`. */
  name: string;
  user: string;
  password: string;
  logger: Logger;
}

/**
 * Connects a service to the nats-server of its own node. The connection comes back by itself for as long as the process
 * lives; the lower ping interval finds a dead server in seconds instead of the default's minutes.
 */
export async function connectBus(options: BusOptions): Promise<NatsConnection> {
  const connection = await connect({
    servers: options.url,
    name: `twonode-${options.name}`,
    user: options.user,
    pass: options.password,
    timeout: connectTimeoutMs,
    waitOnFirstConnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 50,
    pingInterval: 2_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    // Not below _INBOX: observers may listen there, and answers hold values of the datastore.
    inboxPrefix: 'twonode.inbox',
    ignoreClusterUpdates: true,
  });
  void logStatus(connection, options);
  return connection;
}

async function logStatus(connection: NatsConnection, { logger, url }: BusOptions): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') logger.warn({ url }, 'nats-server is gone, reconnecting');
    if (status.type === 'reconnect') logger.info({ url }, 'nats-server is back');
  }
}
