import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a disk does to the JetStream store of a nats-server that is off. @param folder of the store */

/** Everything is gone. */
export function wipe(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

/** Takes a copy of the store. @returns puts it back in place of what is there, once */
export function copyOf(folder: string): () => void {
  const copy = mkdtempSync(join(tmpdir(), 'twonode-store-'));
  cpSync(folder, copy, { recursive: true });
  return () => {
    wipe(folder);
    cpSync(copy, folder, { recursive: true });
    rmSync(copy, { recursive: true, force: true });
  };
}

/** The last part of the newest block of the largest stream is gone. @param part of its length that stays */
export function truncate(folder: string, part: number): void {
  const blocks = (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => name.endsWith('.blk'))
    .map((name) => ({ path: join(folder, name), ...sizes(join(folder, name)) }))
    .sort((left, right) => right.size - left.size || right.changedMs - left.changedMs);
  const [largest] = blocks;
  if (!largest) throw new Error(`there is no block in ${folder}`);
  truncateSync(largest.path, Math.floor(largest.size * part));
}

function sizes(path: string): { size: number; changedMs: number } {
  const { size, mtimeMs } = statSync(path);
  return { size, changedMs: mtimeMs };
}
