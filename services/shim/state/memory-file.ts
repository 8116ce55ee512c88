import { readFileSync } from 'node:fs';
import { writeDurably } from '../../../shared/durable-file.ts';
import type { Logger } from '../../../shared/logger.ts';
import { type Memory, memorySchema } from './persisted.ts';

/** What the state machine remembered; null when there is nothing, or nothing that can be read: it then starts anew. */
export function loadMemory(file: string, logger: Logger): Memory | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  try {
    return memorySchema.parse(JSON.parse(text));
  } catch (error) {
    logger.warn({ err: error, file }, 'the state file cannot be used, the node starts as after a boot');
    return null;
  }
}

/** Keeps the memory on disk. A full disk must not stop a state from being entered: it is then written later. */
export class MemoryFile {
  readonly #file: string;
  readonly #logger: Logger;
  #unsaved: Memory | null = null;

  constructor(file: string, logger: Logger) {
    this.#file = file;
    this.#logger = logger;
  }

  /** Writes it: on disk when this returns, unless the disk refused. */
  save(memory: Memory): void {
    const failedBefore = this.#unsaved !== null;
    this.#unsaved = memory;
    try {
      writeDurably(this.#file, JSON.stringify(memory));
      this.#unsaved = null;
    } catch (error) {
      if (!failedBefore) this.#logger.error({ err: error, file: this.#file }, 'the state cannot be written');
    }
  }

  /** Tries again what the disk refused. */
  retry(): void {
    if (this.#unsaved) this.save(this.#unsaved);
  }
}
