import type { StdioOptions } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/logger.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { type Supervised, supervise } from '../../shared/process/supervise.ts';
import type { NodePids, RunMessage } from '../node/services.ts';

const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
/** More than `twonode run` gives itself. */
const stopLimitMs = 25_000;

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
  /** Resolves when the node is up; rejects with a UserError that holds its last words when it ends before. */
  readonly up: Promise<void>;
  stop(): Promise<void>;
}

/** Starts `twonode run` for a node, and again whenever it ends. */
export function startNodeProcess(options: NodeProcessOptions): NodeProcess {
  const { node, configFile, logFile, logger, onPids } = options;
  const args = [program, 'run', '--config', configFile, '--node', node];
  let supervised: Supervised | undefined;
  const up = new Promise<void>((resolve, reject) => {
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
          if (message.up) resolve();
        });
        return child;
      },
      onExit: () =>
        reject(new UserError(`${node} does not start: ${lastWords(logFile)} (its log: ${logFile})`)),
    });
  });
  return { up, stop: async () => supervised?.stop(stopLimitMs) };
}

/** The sentence with which a command ended: the last line that is no log line. */
function lastWords(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').split('\n');
  const sentence = lines.findLast((line) => line.startsWith('twonode: '));
  return sentence?.slice('twonode: '.length) ?? 'it ended without a word';
}
