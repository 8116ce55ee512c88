import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RecordError } from '../../services/shim/log/record.ts';
import { restoreLog } from '../../services/shim/restore.ts';
import { readSnapshot, SnapshotError } from '../../services/shim/snapshot.ts';
import type { Database } from '../../services/shim/store/database.ts';
import { findBinary } from '../../shared/binaries/find.ts';
import { UserError } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/logger.ts';

export interface RestoreTarget {
  /** The nats-server's folder; it must not be there, or be empty. */
  folder: string;
  /** JetStream domain of the node. */
  domain: string;
  quotaBytes: number;
  /** Files that tell of the log that was there before. */
  outdated: readonly string[];
}

/**
 * Makes a store from a snapshot. It is built beside its place and moved there when it is whole, so a restore that is cut off
 * leaves nothing that a node could start with.
 * @returns how many keys it has, and the revision at which it goes on
 * @throws UserError when the snapshot cannot be used, or when there is a store already
 */
export async function restoreStore(
  file: string,
  { folder, domain, quotaBytes, outdated }: RestoreTarget,
  logger: Logger,
): Promise<{ keys: number; revision: number }> {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new UserError(`${folder} is not empty: a snapshot is restored only where there is no store`);
  }
  const snapshot = openSnapshot(file);
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  const building = mkdtempSync(`${folder}.restoring-`);
  try {
    const binary = await findBinary('nats-server');
    const options = { snapshot, folder: building, domain, binary, quotaBytes, logger };
    const revision = await restoreLog(options);
    // The node writes its own.
    for (const name of ['nats-server.conf', 'nats.log']) rmSync(join(building, name), { force: true });
    for (const file of outdated) rmSync(file, { force: true });
    renameSync(building, folder);
    return { keys: snapshot.store.size.keys, revision };
  } catch (error) {
    rmSync(building, { recursive: true, force: true });
    throw error;
  }
}

/** @throws UserError */
function openSnapshot(file: string): Database {
  try {
    return readSnapshot(readFileSync(file));
  } catch (error) {
    if (error instanceof SnapshotError || error instanceof RecordError || isSystemError(error))
      throw new UserError(`${file} cannot be used: ${(error as Error).message}`);
    throw error;
  }
}

function isSystemError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).syscall !== undefined;
}
