import type { NodePids, RunMessage } from './services.ts';

/** Tells the process which started this one, if that gave an IPC channel, whether the node is up, and its process ids. */
export function reportPids(up: boolean, pids: NodePids): void {
  const message: RunMessage = { up, pids };
  if (process.connected) process.send?.(message);
}
