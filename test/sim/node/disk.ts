import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/** Paths below this are files of the simulation. */
export const simulatedRoot = '/simulated/';

/**
 * The files of the simulated machines, in memory. Each write counts as synced: the product writes them durably, by a rename,
 * and none of it may depend on the others.
 */
export class SimulatedFiles {
  readonly #files = new Map<string, string>();
  readonly #open = new Map<number, string>();
  #descriptor = 1_000_000;
  /** Folders on disks that are full. */
  readonly #full = new Set<string>();

  /** The disk that held these files is gone. */
  wipe(folder: string): void {
    for (const path of this.#files.keys()) if (path.startsWith(`${folder}/`)) this.#files.delete(path);
  }

  /** The disk that holds this folder is full. @returns makes room */
  fill(folder: string): () => void {
    this.#full.add(folder);
    return () => this.#full.delete(folder);
  }

  /** @throws Error ENOSPC */
  #takes(path: string): void {
    for (const folder of this.#full)
      if (path.startsWith(`${folder}/`))
        throw Object.assign(new Error(`ENOSPC: ${path}`), { code: 'ENOSPC' });
  }

  write(path: string, text: string): void {
    this.#files.set(path, text);
  }

  /** All files of a folder, to be put back by {@link restore}. */
  copy(folder: string): Map<string, string> {
    return new Map([...this.#files].filter(([path]) => path.startsWith(`${folder}/`)));
  }

  restore(folder: string, copy: ReadonlyMap<string, string>): void {
    this.wipe(folder);
    for (const [path, text] of copy) this.#files.set(path, text);
  }

  /** Puts these files in the place of the real ones, for paths below {@link simulatedRoot}. @returns takes them away again */
  install(): () => void {
    const functions = this.#functions();
    const before: Record<string, unknown> = {};
    const target = fs as unknown as Record<string, (...args: never[]) => unknown>;
    for (const [name, simulated] of Object.entries(functions)) {
      const real = target[name] as (...args: unknown[]) => unknown;
      before[name] = real;
      target[name] = (...args: unknown[]) =>
        this.#isSimulated(args[0]) ? (simulated as (...args: unknown[]) => unknown)(...args) : real(...args);
    }
    syncBuiltinESMExports();
    return () => {
      Object.assign(target, before);
      syncBuiltinESMExports();
    };
  }

  #isSimulated(file: unknown): boolean {
    return typeof file === 'number' ? this.#open.has(file) : String(file).startsWith(simulatedRoot);
  }

  #functions() {
    const files = this.#files;
    return {
      existsSync: (path: string) => files.has(path),
      mkdirSync: () => undefined,
      rmSync: (path: string) => files.delete(path),
      readFileSync: (path: string) => {
        const text = files.get(path);
        if (text === undefined) throw Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
        return text;
      },
      writeFileSync: (path: string, text: string) => {
        this.#takes(path);
        files.set(path, text);
      },
      appendFileSync: (path: string, text: string) => {
        this.#takes(path);
        files.set(path, (files.get(path) ?? '') + text);
      },
      renameSync: (from: string, to: string) => {
        files.set(to, files.get(from) ?? '');
        files.delete(from);
      },
      openSync: (path: string) => {
        files.set(path, '');
        this.#open.set(++this.#descriptor, path);
        return this.#descriptor;
      },
      writeSync: (descriptor: number, text: string) => {
        const path = this.#open.get(descriptor) ?? '';
        this.#takes(path);
        files.set(path, (files.get(path) ?? '') + text);
      },
      fsyncSync: () => undefined,
      closeSync: (descriptor: number) => this.#open.delete(descriptor),
    };
  }
}
