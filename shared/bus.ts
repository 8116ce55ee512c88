import { connect, Events, type NatsConnection } from 'nats';
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

/**
 * Waits for work that asks nats-server, as long as the connection lasts: what is on its way when it is lost has no answer, which the library
 * would notice only after the request's whole time.
 * @throws Error when the connection is lost before the work is done
 */
export async function whileConnected<T>(connection: NatsConnection, work: Promise<T>): Promise<T> {
  let isDone = false;
  const lost = new Promise<never>((_resolve, reject) => {
    void (async () => {
      for await (const { type } of connection.status()) {
        if (isDone) return;
        if (type === Events.Disconnect) return reject(new Error('the connection to nats-server was lost'));
      }
    })();
  });
  try {
    return await Promise.race([work, lost]);
  } finally {
    isDone = true;
  }
}

async function logStatus(connection: NatsConnection, { logger, url }: BusOptions): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') logger.warn({ url }, 'nats-server is gone, reconnecting');
    if (status.type === 'reconnect') logger.info({ url }, 'nats-server is back');
  }
}
