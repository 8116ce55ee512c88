import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { pino } from 'pino';
import { findBinary } from '../binaries/find.ts';
import { parseConfiguration } from '../config/load.ts';
import type { TwoNodeConfiguration } from '../config/schema.ts';
import { freePort } from '../process/ports.ts';
import { type NatsServer, startNatsServer } from './child.ts';
import { natsServerConfig, servicesUser } from './config.ts';

/** For tests: two real nats-servers on loopback, joined by the leaf link, as two nodes have them. */
export interface ServerPair {
  folder: string;
  config: TwoNodeConfiguration;
  leader: NatsServer;
  follower: NatsServer;
  /** Connects to a node as one of its services, or as an observer. */
  connect(node: 'node-a' | 'node-b', user: 'services' | 'observer'): Promise<NatsConnection>;
  /** Starts the server of one node again after it was stopped. */
  start(node: 'node-a' | 'node-b'): Promise<NatsServer>;
  stop(): Promise<void>;
}

const passwords = { services: 'services-secret', leaf: 'leaf-secret' };

/**
 * Starts both servers on free ports, in a temporary folder which `stop` removes.
 * @param leaderAddress where the follower dials the leader; another one than 127.0.0.1 needs a relay
 */
export async function startServerPair(leaderAddress = '127.0.0.1'): Promise<ServerPair> {
  const folder = await mkdtemp(join(tmpdir(), 'twonode-nats-'));
  const config = await pairConfiguration(folder, leaderAddress);
  const binary = await findBinary('nats-server');
  const connections: NatsConnection[] = [];
  const servers: NatsServer[] = [];

  const start: ServerPair['start'] = async (node) => {
    const self = config.nodes.find((candidate) => candidate.name === node);
    if (!self) throw new RangeError(node);
    const nats = join(folder, node, 'nats');
    const server = await startNatsServer({
      binary,
      folder: nats,
      config: natsServerConfig(config, node, nats, passwords),
      ports: self.ports,
      logger: pino({ level: 'silent' }),
    });
    servers.push(server);
    return server;
  };
  return {
    folder,
    config,
    start,
    leader: await start('node-a'),
    follower: await start('node-b'),
    connect: async (node, user) => {
      const ports = config.nodes.find((candidate) => candidate.name === node)?.ports;
      const credentials = user === 'services' ? { user: servicesUser, pass: passwords.services } : {};
      const connection = await connect({
        servers: `nats://127.0.0.1:${ports?.nats}`,
        ...credentials,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 50,
        ...(user === 'services' ? { inboxPrefix: 'twonode.inbox' } : {}),
      });
      connections.push(connection);
      return connection;
    },
    stop: async () => {
      await Promise.all(connections.map((connection) => connection.close()));
      await Promise.all(servers.map((server) => server.stop()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function pairConfiguration(dataDir: string, leaderAddress: string): Promise<TwoNodeConfiguration> {
  const leaf = await freePort();
  const ports = async () => ({ nats: await freePort(), monitoring: await freePort(), leaf });
  return parseConfiguration(
    JSON.stringify({
      apiVersion: 'twonode.dev/v1alpha1',
      kind: 'TwoNodeConfiguration',
      cluster: 'test',
      dataDir,
      nodes: [
        { name: 'node-a', role: 'leader', address: leaderAddress, bind: '127.0.0.1', ports: await ports() },
        { name: 'node-b', role: 'follower', address: '127.0.0.1', ports: await ports() },
      ],
      probes: { northSouth: [{ name: 'gateway', address: '127.0.0.1' }] },
    }),
    'test.yaml',
  );
}
