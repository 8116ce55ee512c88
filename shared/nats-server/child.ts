import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../lifecycle.ts';
import type { Logger } from '../logger.ts';
import { freePort, requireFreePorts, type WantedPort } from '../process/ports.ts';
import { spawnTethered } from '../process/spawn-tethered.ts';
import { supervise } from '../process/supervise.ts';

/** A store of some GB takes seconds to open. */
const readyLimitMs = 60_000;
const readyPollMs = 25;
const stopLimitMs = 10_000;

export interface NatsServerOptions {
  /** From `findBinary('nats-server')`. */
  binary: string;
  /** The configuration's text: `natsServerConfig` or `singleNodeConfig`. */
  config: string;
  /** Where configuration, log and store are kept. */
  folder: string;
  ports: { nats: number; monitoring: number };
  /** Where the leader listens for the leaf link. */
  leaf?: { host: string; port: number };
  logger: Logger;
  /** Called whenever the process id has changed. */
  onPid?: () => void;
}

/** A supervised nats-server: when it dies it is started again, when this process dies it dies too. */
export interface NatsServer {
  /** `nats://127.0.0.1:4222` */
  readonly url: string;
  /** Undefined between an end and the next start. */
  readonly pid: number | undefined;
  /** Stops it and starts it again, as a full disk needs. Resolves when it is ready. */
  restart(): Promise<void>;
  /** Stops it for good. */
  stop(): Promise<void>;
}

/**
 * Starts a nats-server and waits until JetStream is ready.
 * @throws UserError when a port is in use, or when the server ends or is not ready within a minute
 */
export async function startNatsServer(options: NatsServerOptions): Promise<NatsServer> {
  const { binary, ports, folder, logger } = options;
  await requireFreePorts(natsPorts(options));
  const file = writeConfig(folder, options.config);
  let fault: string | undefined;
  let stderr = '';
  const supervised = supervise({
    name: 'nats-server',
    logger,
    ...(options.onPid ? { onPid: options.onPid } : {}),
    start: () => {
      const child = spawnTethered(binary, ['--config', file], {
        deathSignal: 'KILL',
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      stderr = '';
      child.stderr?.on('data', (chunk) => {
        stderr = (stderr + chunk).slice(-4_096);
      });
      child.once('error', () => {
        fault = 'setpriv of util-linux is missing';
      });
      return child;
    },
    onExit: ({ status, signal }) => {
      fault ??= lastFault(stderr, folder) ?? `it ended with ${signal ?? `status ${status}`}`;
    },
  });
  const ready = () => waitUntilReady(ports.monitoring, () => fault);
  try {
    await ready();
  } catch (error) {
    await supervised.stop(stopLimitMs);
    throw error;
  }
  return {
    url: `nats://127.0.0.1:${ports.nats}`,
    get pid() {
      return supervised.pid;
    },
    restart: async () => {
      await supervised.restart(stopLimitMs);
      fault = undefined;
      await ready();
    },
    stop: () => supervised.stop(stopLimitMs),
  };
}

/**
 * Ports for a nats-server without leaf nodes: two that are free now.
 * @param taken ports that are wanted already, though nobody listens on them yet
 * @throws UserError when none is found
 */
export async function freeNatsPorts(
  taken: readonly number[] = [],
): Promise<{ nats: number; monitoring: number }> {
  const nats = await freePort(taken);
  return { nats, monitoring: await freePort([...taken, nats]) };
}

/** The TCP ports on which a nats-server listens. */
export function natsPorts({ ports, leaf }: Pick<NatsServerOptions, 'ports' | 'leaf'>): WantedPort[] {
  const host = '127.0.0.1';
  const wanted = [
    { host, port: ports.nats, purpose: 'the client port of nats-server' },
    { host, port: ports.monitoring, purpose: 'the monitoring port of nats-server' },
  ];
  return leaf ? [...wanted, { ...leaf, purpose: 'the leaf port of nats-server' }] : wanted;
}

/** The file holds passwords: only its owner may read it. */
function writeConfig(folder: string, text: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'nats-server.conf');
  writeFileSync(file, text, { mode: 0o600 });
  chmodSync(file, 0o600);
  return file;
}

async function waitUntilReady(monitoringPort: number, fault: () => string | undefined): Promise<void> {
  const deadline = performance.now() + readyLimitMs;
  while (performance.now() < deadline) {
    if (await isHealthy(monitoringPort)) return;
    const reason = fault();
    if (reason) throw new UserError(`nats-server does not start: ${reason}`);
    await delay(readyPollMs);
  }
  throw new UserError(`nats-server is not ready after ${readyLimitMs / 1_000} s`);
}

/** `/healthz` answers 200 only when JetStream and all its streams are there. */
function isHealthy(monitoringPort: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${monitoringPort}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}

/** Why it ended: what it wrote before it had a log, else the last line of its log when that is a fatal one. */
function lastFault(stderr: string, folder: string): string | undefined {
  if (stderr.trim()) return stderr.trim().split('\n').at(-1);
  try {
    const last = readFileSync(join(folder, 'nats.log'), 'utf8').trim().split('\n').at(-1);
    return last?.split('[FTL] ')[1];
  } catch {
    return undefined;
  }
}
