import { CommanderError } from 'commander';
import { ConfigurationError } from '../shared/config/load.ts';
import { UserError } from '../shared/lifecycle.ts';

/** Exit status when the command line itself is wrong. */
const usageStatus = 2;

/** 0 after --help and --version, 2 for a wrong command line, else 1. */
export function exitStatus(error: unknown): number {
  if (!(error instanceof CommanderError)) return 1;
  return error.exitCode === 0 ? 0 : usageStatus;
}

/** Prints an error as one sentence for each fault, never as a stack trace. commander has printed its own already. */
export function reportError(error: unknown): void {
  if (error instanceof CommanderError) return;
  for (const line of sentence(error).split('\n')) console.error(`twonode: ${line}`);
}

function sentence(error: unknown): string {
  if (error instanceof UserError || error instanceof ConfigurationError) return error.message;
  const failure = error as NodeJS.ErrnoException & { port?: number };
  if (failure.code === 'EADDRINUSE') return `port ${failure.port} is in use by another program`;
  return `unexpected error: ${failure.message ?? String(error)}`;
}
