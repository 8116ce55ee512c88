import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { findBinary } from '../../shared/binaries/find.ts';
import { freeNatsPorts, type NatsServer, startNatsServer } from '../../shared/nats-server/child.ts';
import { servicesUser, singleNodeConfig } from '../../shared/nats-server/config.ts';
import { freePort } from '../../shared/process/ports.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { type EtcdServer, end, startRealEtcd, startTwonodeEtcd } from '../etcd-servers.ts';

/** What is measured: a server of the etcd API, with all its processes and its data. */
export interface System {
  /** `127.0.0.1:2379` */
  address: string;
  dataDir: string;
  /** The processes whose memory counts, with all below them. */
  pids(): number[];
  /** SIGKILL of all its processes, then the same again on the same data. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

export type SystemName = 'etcd' | 'twonode' | 'kine';

export const starters: Record<SystemName, () => Promise<System>> = {
  etcd: async () => single(await startRealEtcd()),
  twonode: async () => single(await startTwonodeEtcd('--quota-backend-bytes', String(8 * 1024 ** 3))),
  kine: startKine,
};

function single(server: EtcdServer): System {
  return {
    address: server.address,
    dataDir: server.dataDir,
    pids: () => [server.child.pid ?? 0],
    killAndRestart: () => server.killAndRestart(),
    stop: () => server.stop(),
  };
}

const kineReadyLimitMs = 120_000;
const kinePollMs = 20;

/** kine on NATS JetStream, on the same nats-server with the same settings as twonode's: acknowledged is on disk. */
async function startKine(): Promise<System> {
  const binary = await findBinary('kine');
  const natsBinary = await findBinary('nats-server');
  const dataDir = mkdtempSync(join(tmpdir(), 'twonode-kine-'));
  const folder = join(dataDir, 'nats');
  mkdirSync(folder, { recursive: true });
  const ports = await freeNatsPorts();
  const port = await freePort();
  const password = 'bench';
  const startNats = () =>
    startNatsServer({
      binary: natsBinary,
      config: singleNodeConfig('kine', folder, ports, { services: password }),
      folder,
      ports,
      logger: pino({ level: 'silent' }),
    });
  const startProcess = async () => {
    const endpoint = `nats://${servicesUser}:${password}@127.0.0.1:${ports.nats}?noEmbed&bucket=kine&replicas=1`;
    const child = spawnTethered(
      binary,
      ['--endpoint', endpoint, '--listen-address', `127.0.0.1:${port}`, '--metrics-bind-address', '0'],
      { deathSignal: 'KILL', stdio: ['ignore', 'ignore', 'ignore'] },
    );
    await listening(child, port);
    return child;
  };
  let nats: NatsServer = await startNats();
  let kine = await startProcess();
  return {
    address: `127.0.0.1:${port}`,
    dataDir,
    pids: () => [kine.pid ?? 0, nats.pid ?? 0],
    killAndRestart: async () => {
      await end(kine, 'SIGKILL');
      process.kill(nats.pid ?? 0, 'SIGKILL');
      await nats.stop();
      nats = await startNats();
      kine = await startProcess();
    },
    stop: async () => {
      await end(kine, 'SIGTERM');
      await nats.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** kine listens when it has read its bucket. */
async function listening(child: ChildProcess, port: number): Promise<void> {
  const deadline = Date.now() + kineReadyLimitMs;
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`kine ended with ${child.exitCode} before it was ready`);
    if (Date.now() > deadline) throw new Error('kine does not listen');
    await delay(kinePollMs);
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
