import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

export interface TetherOptions extends Pick<SpawnOptions, 'cwd' | 'env' | 'stdio'> {
  /** What the child gets when this process dies, by whatever cause. */
  deathSignal: 'TERM' | 'KILL';
}

/**
 * Spawns a child that does not survive this process, not even its kill -9: `setpriv` (util-linux) asks the kernel to
 * send `deathSignal` when the parent dies (prctl PR_SET_PDEATHSIG) and then becomes the program, so the pid is the
 * program's own. The child leads a process group of its own: Ctrl-C in the terminal reaches only this
 * process, which stops its children in order.
 *
 * Must be called from the main thread: the kernel watches the thread that forked.
 */
export function spawnTethered(command: string, args: string[], options: TetherOptions): ChildProcess {
  const { deathSignal, ...rest } = options;
  return spawn('setpriv', ['--pdeathsig', deathSignal, '--', command, ...args], {
    ...rest,
    detached: true,
  });
}
