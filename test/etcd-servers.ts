import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findBinary } from '../shared/binaries/find.ts';
import { freePort } from '../shared/process/ports.ts';
import { spawnTethered } from '../shared/process/spawn-tethered.ts';

const readyLimitMs = 30_000;

/** A server of the etcd API that a test started, with a data folder of its own. */
export interface EtcdServer {
  /** `127.0.0.1:2379` */
  address: string;
  child: ChildProcess;
  dataDir: string;
  /** SIGKILL, then the same again on the same data. */
  killAndRestart(): Promise<void>;
  stop(): Promise<void>;
}

/** The reference: a real etcd. */
export async function startRealEtcd(): Promise<EtcdServer> {
  const binary = await findBinary('etcd');
  const [port, peer] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  return start(`127.0.0.1:${port}`, (dataDir) =>
    spawnTethered(
      binary,
      [
        ...['--data-dir', dataDir, '--listen-client-urls', url, '--advertise-client-urls', url],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster', `default=${peerUrl}`, '--log-level', 'info'],
      ],
      { deathSignal: 'KILL', stdio: ['ignore', 'pipe', 'pipe'] },
    ),
  );
}

/** `twonode etcd`. */
export async function startTwonodeEtcd(...flags: string[]): Promise<EtcdServer> {
  const port = await freePort();
  return startTwonodeEtcdAt(`http://127.0.0.1:${port}`, ...flags);
}

/** `twonode etcd` on a data folder that is there already; `stop` removes it. */
export async function startTwonodeEtcdOn(dataDir: string): Promise<EtcdServer> {
  const port = await freePort();
  return start(`127.0.0.1:${port}`, spawnTwonodeEtcd(`http://127.0.0.1:${port}`, []), dataDir);
}

/** `twonode etcd` on a client URL of one's own. */
export function startTwonodeEtcdAt(url: string, ...flags: string[]): Promise<EtcdServer> {
  return start(url.replace(/^https?:\/\//, ''), spawnTwonodeEtcd(url, flags));
}

function spawnTwonodeEtcd(url: string, flags: string[]): (dataDir: string) => ChildProcess {
  return (dataDir) =>
    spawnTethered(
      process.execPath,
      ['bin/twonode.js', 'etcd', '--listen-client-urls', url, '--data-dir', dataDir, ...flags],
      { deathSignal: 'KILL', stdio: ['ignore', 'pipe', 'pipe'] },
    );
}

async function start(
  address: string,
  spawnServer: (dataDir: string) => ChildProcess,
  dataDir = mkdtempSync(join(tmpdir(), 'twonode-test-')),
): Promise<EtcdServer> {
  const server: EtcdServer = {
    address,
    dataDir,
    child: spawnServer(dataDir),
    killAndRestart: async () => {
      await end(server.child, 'SIGKILL');
      server.child = spawnServer(dataDir);
      await ready(server.child);
    },
    stop: async () => {
      await end(server.child, 'SIGTERM');
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
  await ready(server.child);
  return server;
}

/** Both say on their output when they serve. */
function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => reject(new Error(`not ready in time:\n${output}`)), readyLimitMs);
    const look = (chunk: Buffer) => {
      output = (output + chunk).slice(-64 * 1024);
      if (!/ready: etcd v3|ready to serve client requests/.test(output)) return;
      clearTimeout(timer);
      resolve();
    };
    child.stdout?.on('data', look);
    child.stderr?.on('data', look);
    child.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`ended with ${code} before it was ready:\n${output}`));
    });
  });
}

export function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill(signal);
  });
}
