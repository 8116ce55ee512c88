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

/** Keeps it, on disk when this returns. */
export function saveMemory(file: string, memory: Memory): void {
  writeDurably(file, JSON.stringify(memory));
}
