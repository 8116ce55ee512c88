import { mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const touchEveryMs = 2_000;
/** A lock that was not touched for this long belongs to a process that is gone. */
const staleAfterMs = 15_000;
const pollMs = 500;

/**
 * Runs `work` while no other process holds the lock `folder`. The holder touches the lock, so one that died is
 * recognised by age, also from another container. Should two processes ever take over a stale lock at once, both
 * work: callers must finish with an atomic rename.
 */
export async function withLock<T>(folder: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(folder))) await delay(pollMs);
  const touch = setInterval(() => {
    const now = new Date();
    utimes(folder, now, now).catch(() => {});
  }, touchEveryMs);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    await rm(folder, { recursive: true, force: true });
  }
}

/** mkdir either makes the folder or fails: that is the lock. */
async function take(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    await writeFile(`${folder}/pid`, `${process.pid}\n`);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const touched = await stat(folder).then(
    (found) => found.mtimeMs,
    () => Number.POSITIVE_INFINITY,
  );
  if (Date.now() - touched > staleAfterMs) await rm(folder, { recursive: true, force: true });
  return false;
}
