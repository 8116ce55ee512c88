import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { writeDurablyMeanwhile } from '../../shared/durable-file.ts';
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

export function encodeMemory(memory: Memory): string {
  return `${JSON.stringify(memory, null, 2)}\n`;
}

/**
 * Keeps the memory on disk, in the background: a disk that hangs may delay no probe. While one write is under way only the
 * newest of what follows is kept, so a disk that hangs holds one thread of the pool and one text.
 */
export class MemoryFile {
  readonly #file: string;
  readonly #onError: (error: unknown) => void;
  #waiting: string | null = null;
  #writing: Promise<void> | null = null;

  constructor(file: string, onError: (error: unknown) => void) {
    this.#file = file;
    this.#onError = onError;
  }

  keep(memory: Memory): void {
    this.#waiting = encodeMemory(memory);
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all that is to be kept is on disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let text = this.#next(); text !== null; text = this.#next()) {
      try {
        await mkdir(dirname(this.#file), { recursive: true });
        await writeDurablyMeanwhile(this.#file, text);
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#writing = null;
  }

  #next(): string | null {
    const text = this.#waiting;
    this.#waiting = null;
    return text;
  }
}
