import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a CNI plugin would have put there: the prober looks whether there is a configuration. */
const conflist = {
  cniVersion: '1.0.0',
  name: 'loopback',
  plugins: [{ type: 'loopback' }],
};

/** Puts a CNI configuration into a folder. */
export function installCni(folder: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '10-loopback.conflist'), `${JSON.stringify(conflist, null, 2)}\n`);
}

/** Removes the folder with all that is in it: a real local failure. */
export function removeCni(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
