import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { signalStatuses } from '../../shared/messages.ts';

const memorySchema = z.object({
  v: z.literal(1),
  boot_id: z.string(),
  /** What each check was last, by `area.check`. */
  checks: z.record(
    z.string(),
    z.object({ status: z.enum(signalStatuses), since: z.string(), reason: z.string() }),
  ),
  /** The checks that were ever `ok` on this installation, across boots. */
  ever_healthy: z.array(z.string()),
});

/**
 * What the prober remembers across its restarts (`paths.proberFile`): within one boot the status of each check and since
 * when, so that a restart begins no new `since`; across boots which checks were ever healthy.
 */
export type Memory = z.infer<typeof memorySchema>;

/** Reads the memory. What is missing, unreadable or of another boot is forgotten, except what was ever healthy. */
export function readMemory(file: string, bootId: string): Memory {
  const empty: Memory = { v: 1, boot_id: bootId, checks: {}, ever_healthy: [] };
  try {
    const memory = memorySchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    return memory.boot_id === bootId ? memory : { ...empty, ever_healthy: memory.ever_healthy };
  } catch {
    return empty;
  }
}

/**
 * Writes the memory, by a rename, so that a kill leaves the old or the new one.
 * @throws Error of the file system; the prober works without its memory
 */
export function writeMemory(file: string, memory: Memory): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(memory, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
