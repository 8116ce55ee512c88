import { readdir } from 'node:fs/promises';
import { failed, ok, type Verdict } from '../verdict.ts';
import { type NicReading, readNic, sysfsNet } from './nic.ts';
import { judgeInterfaces } from './vnic.ts';

/** What the kubelet's CNI loader takes for a configuration (containernetworking/cni, libcni.ConfFiles). */
const configurationFile = /\.(conf|conflist|json)$/;

export interface CniReading {
  /** Empty: the folder is not checked. */
  configDir: string;
  /** Names of the files in the folder; null when it cannot be read. */
  files: string[] | null;
  /** Why it cannot be read, such as ENOENT. */
  fault: string;
  interfaces: NicReading[];
}

export async function readCni(
  configDir: string,
  interfaces: string[],
  sysfsRoot = sysfsNet,
): Promise<CniReading> {
  const reading: CniReading = {
    configDir,
    files: null,
    fault: '',
    interfaces: interfaces.map((name) => readNic(sysfsRoot, name)),
  };
  if (configDir === '') return reading;
  try {
    return { ...reading, files: await readdir(configDir) };
  } catch (error) {
    return { ...reading, fault: (error as NodeJS.ErrnoException).code ?? 'unreadable' };
  }
}

/** Judges the CNI: its folder holds a configuration, and its interfaces are up. */
export function judgeCni({ configDir, files, fault, interfaces }: CniReading): Verdict {
  const found = (files ?? []).filter((name) => configurationFile.test(name)).sort();
  const links = judgeInterfaces(interfaces);
  const value = { config_dir: configDir, files: found, ...links.value };
  if (configDir !== '' && files === null) {
    const what = fault === 'ENOENT' ? 'does not exist' : `cannot be read (${fault})`;
    return failed(`CNI: ${configDir} ${what}`, value);
  }
  if (configDir !== '' && found.length === 0) {
    return failed(`CNI: ${configDir} holds no configuration`, value);
  }
  return links.status === 'ok' ? ok(value) : failed(`CNI: ${links.reason}`, value);
}
