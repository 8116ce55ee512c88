import type { ChildProcess } from 'node:child_process';
import type { Logger } from '../logger.ts';

const backoffFirstMs = 100;
const backoffMaxMs = 5_000;
/** A child that lived this long starts again without a wait. */
const healthyAfterMs = 30_000;

/** How a child ended. */
export interface ChildExit {
  status: number | null;
  signal: NodeJS.Signals | null;
}

export interface SuperviseOptions {
  name: string;
  start: () => ChildProcess;
  logger: Logger;
  /** Called at each end that was not asked for. */
  onExit?: (exit: ChildExit) => void;
  /** Called whenever the process id has changed; undefined between an end and the next start. */
  onPid?: (pid: number | undefined) => void;
}

/** A child process that is started again whenever it ends. */
export interface Supervised {
  /** Undefined between an end and the next start. */
  readonly pid: number | undefined;
  /** Ends the child, after `limitMs` by SIGKILL; it is started again. Resolves when it ended. */
  restart(limitMs: number): Promise<void>;
  /** Ends the child for good, after `limitMs` by SIGKILL. */
  stop(limitMs: number): Promise<void>;
}

/** Starts a child and keeps it running: after an end it waits, from 100 ms doubling to 5 s, and starts it again. */
export function supervise({ name, start, logger, onExit, onPid }: SuperviseOptions): Supervised {
  let child: ChildProcess | undefined;
  let stopping = false;
  let asked = false;
  let backoffMs = backoffFirstMs;
  let timer: NodeJS.Timeout | undefined;

  const run = () => {
    const startedMs = performance.now();
    const running = start();
    child = running;
    logger.debug({ child: name, pid: running.pid }, 'started');
    onPid?.(running.pid);
    const ended = (exit: ChildExit, error?: Error) => {
      if (child !== running) return;
      child = undefined;
      onPid?.(undefined);
      if (stopping) return;
      if (asked || performance.now() - startedMs > healthyAfterMs) backoffMs = backoffFirstMs;
      timer = setTimeout(run, backoffMs);
      if (!asked) {
        logger.warn({ child: name, ...exit, err: error, againInMs: backoffMs }, 'ended, it is started again');
        onExit?.(exit);
      }
      asked = false;
      backoffMs = Math.min(backoffMs * 2, backoffMaxMs);
    };
    running.once('error', (error) => ended({ status: null, signal: null }, error));
    running.once('exit', (status, signal) => ended({ status, signal }));
  };
  run();

  return {
    get pid() {
      return child?.pid;
    },
    restart: async (limitMs) => {
      asked = child !== undefined;
      if (child) await terminate(child, limitMs);
    },
    stop: async (limitMs) => {
      stopping = true;
      clearTimeout(timer);
      if (child) await terminate(child, limitMs);
    },
  };
}

/** SIGTERM, then SIGKILL after `limitMs`. Resolves when the child has ended. */
export function terminate(child: ChildProcess, limitMs: number): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
    return Promise.resolve();
  return new Promise((resolve) => {
    const kill = setTimeout(() => child.kill('SIGKILL'), limitMs);
    child.once('exit', () => {
      clearTimeout(kill);
      resolve();
    });
    child.kill('SIGTERM');
  });
}
