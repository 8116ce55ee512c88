import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../../../shared/logger.ts';
import { spawnTethered } from '../../../shared/process/spawn-tethered.ts';
import { supervise } from '../../../shared/process/supervise.ts';
import type { Route } from './link.ts';
import type { RelayMessage } from './main.ts';

const program = fileURLToPath(new URL('./main.js', import.meta.url));
const stopLimitMs = 1_000;

/** The relay process between the nodes. */
export interface Relay {
  /** Cuts the link, or heals it. */
  set(isCut: boolean): void;
  stop(): Promise<void>;
}

/** Starts the relay process and waits until it listens. One that is started again cuts what was cut. */
export async function startRelay(routes: Route[], logger: Logger): Promise<Relay> {
  let isCut = false;
  let child: ChildProcess | undefined;
  const tell = () => {
    const message: RelayMessage = { isCut };
    if (child?.connected) child.send(message);
  };
  const supervised = supervise({
    name: 'relay',
    logger,
    start: () => {
      child = spawnTethered(process.execPath, [program, JSON.stringify(routes)], {
        deathSignal: 'KILL',
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      tell();
      return child;
    },
  });
  if (child) await once(child, 'message');
  return {
    set: (next) => {
      isCut = next;
      tell();
    },
    stop: () => supervised.stop(stopLimitMs),
  };
}
