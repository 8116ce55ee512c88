import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { pino } from 'pino';
import { findBinary } from '../binaries/find.ts';
import { loadConfiguration } from '../config/load.ts';
import type { TwoNodeConfiguration } from '../config/schema.ts';
import { nodePaths } from '../paths.ts';
import { freePort } from '../process/ports.ts';
import { deriveSecret } from '../secrets.ts';
import { type NatsServer, startNatsServer } from './child.ts';
import { natsServerConfig, servicesUser } from './config.ts';

/** For tests: two real nats-servers on loopback, joined by the leaf link, as two nodes have them. */
export interface ServerPair {
  folder: string;
  /** The configuration as a file; the cluster key stands where it says. */
  configFile: string;
  config: TwoNodeConfiguration;
  leader: NatsServer;
  follower: NatsServer;
  /** Connects to a node as one of its services, or as an observer. */
  connect(node: 'node-a' | 'node-b', user: 'services' | 'observer'): Promise<NatsConnection>;
  /** Starts the server of one node again after it was stopped; with another configuration than before where that is given. */
  start(node: 'node-a' | 'node-b', config?: TwoNodeConfiguration): Promise<NatsServer>;
  stop(): Promise<void>;
}

const clusterKey = Buffer.alloc(32, 7);
const passwords = { services: deriveSecret(clusterKey, 'services'), leaf: deriveSecret(clusterKey, 'leaf') };

/**
 * Starts both servers on free ports, in a temporary folder which `stop` removes.
 * @param leaderAddress where the follower dials the leader; another one than 127.0.0.1 needs a relay
 */
export async function startServerPair(leaderAddress = '127.0.0.1'): Promise<ServerPair> {
  const folder = await mkdtemp(join(tmpdir(), 'twonode-nats-'));
  const configFile = join(folder, 'twonode.yaml');
  await writeFile(configFile, await pairConfiguration(folder, leaderAddress));
  const config = loadConfiguration(configFile);
  for (const { name } of config.nodes) {
    const paths = nodePaths(config, name);
    await mkdir(dirname(paths.clusterKey), { recursive: true });
    await writeFile(paths.clusterKey, clusterKey.toString('hex'));
  }
  const binary = await findBinary('nats-server');
  const connections: NatsConnection[] = [];
  const servers: NatsServer[] = [];

  const start: ServerPair['start'] = async (node, changed = config) => {
    const self = changed.nodes.find((candidate) => candidate.name === node);
    if (!self) throw new RangeError(node);
    const nats = join(folder, node, 'nats');
    const server = await startNatsServer({
      binary,
      folder: nats,
      config: natsServerConfig(changed, node, nats, passwords),
      ports: self.ports,
      logger: pino({ level: 'silent' }),
    });
    servers.push(server);
    return server;
  };
  return {
    folder,
    configFile,
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

async function pairConfiguration(dataDir: string, leaderAddress: string): Promise<string> {
  const leaf = await freePort();
  const ports = async () => ({ nats: await freePort(), monitoring: await freePort(), leaf });
  return JSON.stringify({
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'test',
    dataDir,
    nodes: [
      { name: 'node-a', role: 'leader', address: leaderAddress, bind: '127.0.0.1', ports: await ports() },
      { name: 'node-b', role: 'follower', address: '127.0.0.1', ports: await ports() },
    ],
    probes: { northSouth: [{ name: 'gateway', address: '127.0.0.1' }] },
  });
}
