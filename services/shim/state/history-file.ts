import { appendFileSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeDurably } from '../../../shared/durable-file.ts';
import { nodeStates } from '../../../shared/node.ts';
import { reasons } from '../../../shared/reasons.ts';

/** One line of the history: a node entered a state, or stayed in it for another reason. */
export const historyEntrySchema = z.object({
  at: z.iso.datetime({ offset: true }),
  from: z.enum(nodeStates),
  to: z.enum(nodeStates),
  reason: z.enum(reasons).nullable(),
  text: z.string(),
});
export type HistoryEntry = z.infer<typeof historyEntrySchema>;

/** So many entries are kept; the file is cut back to them when it has twice as many. */
export const historyMax = 1_000;

/** The last changes of state, for `twonode history`: JSON lines in a bounded file. */
export class HistoryFile {
  readonly #file: string;
  #lines: number;

  constructor(file: string) {
    this.#file = file;
    this.#lines = readLines(file).length;
  }

  /** @throws Error of the file system; the state does not depend on its history */
  append(entry: HistoryEntry): void {
    appendFileSync(this.#file, `${JSON.stringify(entry)}\n`, { mode: 0o600 });
    this.#lines++;
    if (this.#lines < 2 * historyMax) return;
    const kept = readLines(this.#file).slice(-historyMax);
    writeDurably(this.#file, `${kept.join('\n')}\n`);
    this.#lines = kept.length;
  }
}

/** The entries of a history file, oldest first. A line that cannot be read, such as one cut off by a crash, is left out. */
export function readHistory(file: string): HistoryEntry[] {
  return readLines(file)
    .flatMap((line) => {
      try {
        return [historyEntrySchema.parse(JSON.parse(line))];
      } catch {
        return [];
      }
    })
    .slice(-historyMax);
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}
