import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder with one go.mod for each family of tools. This file runs from `dist/shared/binaries`. */
export const toolsFolder = fileURLToPath(new URL('../../../tools', import.meta.url));

/** Where built binaries are kept, outside the repository so that a fresh clone finds them again. */
export function cacheFolder(environment: NodeJS.ProcessEnv): string {
  const base =
    environment.TWONODE_CACHE ?? join(environment.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'twonode');
  return join(base, 'bin');
}
