import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { onShutdown } from '../../shared/lifecycle.ts';
import { createLogger } from '../../shared/logger.ts';
import type { NodeState } from '../../shared/node.ts';
import { exitStatus, reportError } from '../errors.ts';
import { askStates } from '../status/ask.ts';
import { overviewOf } from '../status/overview.ts';
import { type Cluster, defaultDataDir } from './cluster-file.ts';
import { defaultPortBase, portSpan } from './layout.ts';
import { LoopbackCluster } from './loopback-cluster.ts';
import { welcome } from './welcome.ts';

/** After a first start a node waits for its damping; after a hard stop up to `bootGrace`. */
const settleLimitMs = 45_000;
const stopLimitMs = 40_000;

interface StartFlags {
  dataDir: string;
  portBase: number;
}

const say = (line: string) => console.error(line);

const program = new Command('npm start --')
  .description('run two nodes on this machine, each with its own nats-server, services and kube-apiserver')
  .option('--data-dir <folder>', 'where the cluster keeps its data', (path) => resolve(path), defaultDataDir)
  .option('--port-base <port>', `lowest of the ${portSpan} ports that it uses`, parsePort, defaultPortBase)
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'twonode: ')) })
  .exitOverride()
  .action(async (flags: StartFlags) => {
    const cluster = new LoopbackCluster({ ...flags, say });
    onShutdown(createLogger('cluster', 'error'), stopLimitMs, () => {
      say('stopping ...');
      return cluster.stop();
    });
    stopWithTerminalOrNpm();
    try {
      const running = await cluster.start();
      say('waiting until both nodes know their state ...');
      process.stdout.write(welcome(running, await settledStates(running), flags.dataDir));
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  });

function parsePort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1_024 && port + portSpan <= 65_535) return port;
  throw new InvalidArgumentError(`expected a port from 1024 to ${65_535 - portSpan}.`);
}

/** A closed terminal stops the cluster, and so does the end of the npm that started it, even its kill -9. */
function stopWithTerminalOrNpm(): void {
  const stop = () => process.kill(process.pid, 'SIGTERM');
  process.once('SIGHUP', stop);
  if (!process.env.npm_lifecycle_event) return;
  const started = lineage();
  setInterval(() => lineage() !== started && stop(), 500).unref();
}

/** The parents up to npm, which runs a script below a shell that survives it (or that becomes the script). */
function lineage(): string {
  try {
    const status = readFileSync(`/proc/${process.ppid}/status`, 'utf8');
    const isNpm = /^Name:\s+npm/.test(status);
    return isNpm ? `${process.ppid}` : `${process.ppid} ${/^PPid:\s+(\d+)$/m.exec(status)?.[1]}`;
  } catch {
    return 'gone';
  }
}

/** The states once they are Leader and Follower, or whatever they are when the time is over. */
async function settledStates({ nodes }: Cluster): Promise<Map<string, NodeState | null>> {
  const deadline = Date.now() + settleLimitMs;
  for (;;) {
    const overview = overviewOf(await askStates(nodes.map(({ nats }) => nats)));
    if (overview.health === 'healthy' || Date.now() > deadline) {
      return new Map(overview.nodes.map(({ node, state }) => [node, state]));
    }
    await delay(200);
  }
}

try {
  await program.parseAsync(process.argv);
} catch (error) {
  reportError(error);
  process.exit(exitStatus(error));
}
