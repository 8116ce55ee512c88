import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Resident memory in MiB of some processes and all below them. */
export function residentMiB(roots: readonly number[]): number {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const parent = parentOf(name);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const sum = (pid: number): number =>
    (children.get(pid) ?? []).reduce((total, child) => total + sum(child), ownResidentMiB(pid));
  return roots.reduce((total, root) => total + sum(root), 0);
}

/** 0 when it has just ended. */
function parentOf(name: string): number {
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

/** Resident memory in MiB of one process; 0 when it has just ended. */
export function ownResidentMiB(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** What a folder takes on disk, in MiB. Files may come and go meanwhile. */
export function diskMiB(folder: string): number {
  return (
    readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .reduce(
        (total, { parentPath, name }) =>
          total + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.blocks ?? 0) * 512,
        0,
      ) /
    1024 ** 2
  );
}
