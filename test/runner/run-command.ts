import { spawnTethered } from '../../shared/process/spawn-tethered.ts';

const drainLimitMs = 2_000;

/** How a command ended, and all that it wrote. */
export interface Ended {
  output: string;
  /** Null when a signal ended it. */
  status: number | null;
  durationMs: number;
}

/** Runs a command to its end, or kills it with its whole process group after `limitMs`. */
export function runCommand(command: string, args: string[], cwd: string, limitMs: number): Promise<Ended> {
  const startedMs = Date.now();
  const env = { ...process.env, TWONODE_TEST_LOG: 'info' };
  const child = spawnTethered(command, args, {
    cwd,
    env,
    deathSignal: 'KILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout?.on('data', collect);
  child.stderr?.on('data', collect);
  const limit = setTimeout(() => {
    output += `\nkilled: it took longer than ${limitMs / 1_000} s\n`;
    if (child.pid) process.kill(-child.pid, 'SIGKILL');
  }, limitMs);
  return new Promise((resolve) => {
    const end = (status: number | null) => {
      clearTimeout(limit);
      resolve({ output, status, durationMs: Date.now() - startedMs });
    };
    child.once('error', (error) => {
      output += `${error.message}\n`;
      end(null);
    });
    child.once('close', end);
    // A stray grandchild may hold the pipes open for ever.
    child.once('exit', (status) => setTimeout(end, drainLimitMs, status).unref());
  });
}
