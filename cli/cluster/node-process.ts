import type { StdioOptions } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/logger.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { type Supervised, supervise } from '../../shared/process/supervise.ts';
import type { NodePids, RunMessage } from '../node/services.ts';

const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
/** More than `twonode run` gives itself. */
const stopLimitMs = 25_000;
/** How long a node may take until it is up: `twonode run` itself goes on for ever to start what ends. In milliseconds. */
const upLimitMs = 60_000;

export interface NodeProcessOptions {
  node: string;
  configFile: string;
  /** Where the log lines of all its services go. */
  logFile: string;
  logger: Logger;
  /** Called whenever the process ids of the node change. */
  onPids: (pids: NodePids) => void;
}

/** One `twonode run` as a child. */
export interface NodeProcess {
  /** Resolves when the node is up; rejects with a UserError that says why when it ends before, or takes over a minute. */
  readonly up: Promise<void>;
  stop(): Promise<void>;
}

/** Starts `twonode run` for a node, and again whenever it ends. */
export function startNodeProcess(options: NodeProcessOptions): NodeProcess {
  const { node, configFile, logFile, logger, onPids } = options;
  const args = [program, 'run', '--config', configFile, '--node', node];
  const logStart = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0;
  let supervised: Supervised | undefined;
  const up = new Promise<void>((resolve, reject) => {
    const fail = () =>
      reject(new UserError(`${node} does not start: ${firstWords(logFile, logStart)} (its log: ${logFile})`));
    const limit = setTimeout(fail, upLimitMs);
    supervised = supervise({
      name: `twonode run of ${node}`,
      logger,
      start: () => {
        const log = openSync(logFile, 'a');
        const stdio: StdioOptions = ['ignore', log, log, 'ipc'];
        const child = spawnTethered(process.execPath, args, { deathSignal: 'TERM', stdio });
        closeSync(log);
        child.on('message', (message: RunMessage) => {
          onPids(message.pids);
          if (!message.up) return;
          clearTimeout(limit);
          resolve();
        });
        return child;
      },
      onExit: () => {
        clearTimeout(limit);
        fail();
      },
    });
  });
  return { up, stop: async () => supervised?.stop(stopLimitMs) };
}

/** The first sentence for people which a command wrote to its log after `offset`: the cause, before what followed from it. */
function firstWords(logFile: string, offset: number): string {
  const lines = readFileSync(logFile).subarray(offset).toString('utf8').split('\n');
  const sentence = lines.find((line) => line.startsWith('twonode: '));
  return sentence?.slice('twonode: '.length) ?? 'it does not say why';
}
