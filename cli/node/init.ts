import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import { nodePaths } from '../../shared/paths.ts';

/** Makes the secret that both nodes share, readable by its owner only, unless there is one. Returns whether it was made. */
export function ensureClusterKey(file: string): boolean {
  if (existsSync(file)) return false;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
  return true;
}

/**
 * Writes the one-use mark with which an empty store may begin a new cluster. A leader that lost its disk has no mark, so
 * it cannot found a second cluster beside the follower's copy.
 * @throws UserError when the node has a store already
 */
export function markNewCluster(config: TwoNodeConfiguration, node: string): void {
  const paths = nodePaths(config, node);
  if (!isEmptyStore(paths.nats)) {
    throw new UserError(
      `${node} has a store already (${paths.nats}): "twonode init" is only for an empty one`,
    );
  }
  mkdirSync(dirname(paths.initMark), { recursive: true, mode: 0o700 });
  rmSync(paths.restoreMark, { force: true });
  writeFileSync(paths.initMark, `${new Date().toISOString()}\n`, { mode: 0o600 });
}

/** Whether no account of a nats-server's JetStream store has a stream. */
export function isEmptyStore(natsFolder: string): boolean {
  const store = join(natsFolder, 'jetstream', 'jetstream');
  return list(store).every((account) => list(join(store, account, 'streams')).length === 0);
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
