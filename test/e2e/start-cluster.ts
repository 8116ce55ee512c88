import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Cluster, readClusterFile } from '../../cli/cluster/cluster-file.ts';

const program = fileURLToPath(new URL('../../cli/cluster/start.js', import.meta.url));
const startLimitMs = 180_000;

/** A cluster of `npm start`, run by a test in a folder and on ports of its own. */
export interface StartedCluster {
  process: ChildProcess;
  /** All that it printed so far. */
  output(): string;
  /** The current `cluster.json`. */
  read(): Cluster;
}

export function newDataDir(): string {
  return mkdtempSync(join(tmpdir(), 'twonode-e2e-'));
}

/** Some 60 ports which, most likely, no one else uses: below those that Linux hands out by itself. */
export function newPortBase(): number {
  return 24_000 + 100 * Math.floor(Math.random() * 80);
}

/**
 * Starts a cluster and waits for its welcome.
 * @throws Error with its output when it ends before, or takes longer than three minutes
 */
export async function startCluster(
  dataDir: string,
  portBase: number,
  env: NodeJS.ProcessEnv = process.env,
): Promise<StartedCluster> {
  const child = spawn(process.execPath, [program, '--data-dir', dataDir, '--port-base', String(portBase)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    const fail = (what: string) => {
      child.kill('SIGKILL');
      reject(new Error(`${what}:\n${output}\n${nodeLogs(dataDir)}`));
    };
    const limit = setTimeout(() => fail('the cluster took too long to start'), startLimitMs);
    const collect = (chunk: Buffer) => {
      output += chunk;
      if (!output.includes('Ctrl-C stops everything')) return;
      clearTimeout(limit);
      resolve();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('exit', () => {
      clearTimeout(limit);
      fail('the cluster ended before it was up');
    });
  });
  return { process: child, output: () => output, read: () => readClusterFile(dataDir) };
}

/** Stops it as Ctrl-C does. Resolves with its exit status when it has ended. */
export async function stopCluster({ process: child }: StartedCluster): Promise<number | null> {
  const ended = once(child, 'exit');
  child.kill('SIGINT');
  const [status] = await ended;
  return status;
}

export function removeDataDir(dataDir: string): void {
  rmSync(dataDir, { recursive: true, force: true });
}

function nodeLogs(dataDir: string): string {
  const tail = (node: string) => {
    try {
      return readFileSync(join(dataDir, node, 'node.log'), 'utf8')
        .split('\n')
        .slice(-30)
        .join('\n');
    } catch {
      return '(no log)';
    }
  };
  return `node-a:\n${tail('node-a')}\nnode-b:\n${tail('node-b')}`;
}
