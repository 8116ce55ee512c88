import { renameSync, writeFileSync } from 'node:fs';

/** Replaces a file at once, so that no reader ever sees half of it. @param mode permissions, such as 0o600 */
export function writeAtomically(file: string, content: string, mode: number): void {
  const fresh = `${file}.new`;
  writeFileSync(fresh, content, { mode });
  renameSync(fresh, file);
}
