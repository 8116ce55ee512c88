import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Probe, probeKey } from './probe.ts';
import { faultOf } from './verdict.ts';

/** A probe, and in one line what it lacks on this machine. */
export interface Lack {
  check: string;
  lacks: string;
}

/** Asks every probe what it lacks: programs, capabilities, permissions. None of it keeps the others from running. */
export async function lacksOf(probes: Probe[]): Promise<Lack[]> {
  const lacks = await Promise.all(
    probes.map(async (probe) => ({ check: probeKey(probe), lacks: (await probe.lacks?.()) ?? null })),
  );
  return lacks.filter((lack): lack is Lack => lack.lacks !== null);
}

/** Whether there is a program of this name that this process may run. */
export async function isProgram(name: string, path = process.env.PATH ?? ''): Promise<boolean> {
  const found = await Promise.all(
    path.split(delimiter).map((folder) => isAllowed(join(folder, name), constants.X_OK)),
  );
  return found.includes(true);
}

/** @param packages in which the programs are, by program */
export async function lacksPrograms(
  packages: Record<string, string>,
  without: string,
): Promise<string | null> {
  for (const [program, from] of Object.entries(packages)) {
    if (!(await isProgram(program))) return `the program "${program}" (package ${from}); ${without}`;
  }
  return null;
}

/** What keeps this process from a folder that is there; null when nothing does. */
export async function lacksPermission(folder: string, wanted: 'read' | 'write'): Promise<string | null> {
  try {
    await access(folder, constants.X_OK | (wanted === 'read' ? constants.R_OK : constants.W_OK));
    return null;
  } catch (error) {
    // What is not there yet, or on a read-only file system, is no question of permissions.
    return faultOf(error) === 'EACCES' ? `permission to ${wanted} ${folder}` : null;
  }
}

function isAllowed(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}
