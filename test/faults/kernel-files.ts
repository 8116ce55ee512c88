import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The files of /proc that stand for the machine, and not for a network namespace. */
const places = {
  'boot-id': '/proc/sys/kernel/random/boot_id',
  loadavg: '/proc/loadavg',
  meminfo: '/proc/meminfo',
  pressure: '/proc/pressure/memory',
} as const;
type KernelFile = keyof typeof places;

/** Whether the kernel of this machine tells memory pressure (PSI): only what is there can be told otherwise. */
export const tellsPressure = existsSync(places.pressure);

/** What the kernel of a node tells its processes, whatever the machine below does. */
export class KernelFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.setLoad(0.1);
    this.setAvailableMemory(80);
    this.setMemoryPressure(0);
  }

  setBootId(bootId: string): void {
    this.#write('boot-id', `${bootId}\n`);
  }

  setLoad(load: number): void {
    this.#write('loadavg', `${load} ${load} ${load} 1/100 1\n`);
  }

  /** @param percent of the memory */
  setAvailableMemory(percent: number): void {
    const totalKiB = 4 * 1024 * 1024;
    const availableKiB = Math.floor((totalKiB * percent) / 100);
    this.#write(
      'meminfo',
      `MemTotal: ${totalKiB} kB\nMemFree: ${availableKiB} kB\nMemAvailable: ${availableKiB} kB\n`,
    );
  }

  /** @param percent of the time in which some task waited for memory */
  setMemoryPressure(percent: number): void {
    const line = (who: string) => `${who} avg10=${percent.toFixed(2)} avg60=0.00 avg300=0.00 total=0\n`;
    this.#write('pressure', line('some') + line('full'));
  }

  /** Shell commands that put them in the place of the kernel's own, in a mount namespace such as `ip netns exec` makes. */
  mountCommands(): string {
    return (Object.keys(places) as KernelFile[])
      .filter((name) => existsSync(this.#file(name)) && existsSync(places[name]))
      .map((name) => `mount --bind ${this.#file(name)} ${places[name]}`)
      .join(' && ');
  }

  #write(name: KernelFile, text: string): void {
    writeFileSync(this.#file(name), text);
  }

  #file(name: KernelFile): string {
    return join(this.#folder, `kernel-${name}`);
  }
}
