import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The id of this boot of the machine; on a system without one, a random id of this process. */
export function readBootId(file = '/proc/sys/kernel/random/boot_id'): string {
  try {
    return readFileSync(file, 'utf8').trim() || randomUUID();
  } catch {
    return randomUUID();
  }
}
