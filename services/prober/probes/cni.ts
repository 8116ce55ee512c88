import { readdir } from 'node:fs/promises';
import type { CniConfiguration } from '../../../shared/config/probes.ts';
import { failed, faultOf, ok, type Verdict } from '../verdict.ts';
import { type HttpReading, readHttp } from './http.ts';
import { type NicReading, readNic, sysfsNet } from './nic.ts';
import { connectFault } from './unix-socket.ts';
import { judgeInterfaces } from './vnic.ts';

/** What the kubelet's CNI loader takes for a configuration (containernetworking/cni, libcni.ConfFiles). */
const configurationFile = /\.(conf|conflist|json)$/;

/** What is looked at; what is empty or missing is not. */
export type CniSettings = Pick<
  CniConfiguration,
  'configDir' | 'interfaces' | 'healthUrl' | 'healthSocket' | 'timeout'
>;

export interface CniReading {
  /** Empty: the folder is not checked. */
  configDir: string;
  /** Names of the files in the folder; null when it cannot be read. */
  files: string[] | null;
  /** Why it cannot be read, such as ENOENT. */
  fault: string;
  interfaces: NicReading[];
  /** What the agent's health URL answered; null when there is none. */
  health: HttpReading | null;
  /** The agent's socket, and why it takes no connection: empty when it does; null when there is none. */
  socket: { path: string; fault: string } | null;
}

export async function readCni(settings: CniSettings, sysfsRoot = sysfsNet): Promise<CniReading> {
  const { configDir, interfaces, healthUrl, healthSocket: path, timeout } = settings;
  const [folder, health, socketFault] = await Promise.all([
    readFolder(configDir),
    healthUrl === undefined ? null : readHttp(healthUrl, timeout),
    path === undefined ? '' : connectFault(path, timeout),
  ]);
  return {
    configDir,
    ...folder,
    interfaces: interfaces.map((name) => readNic(sysfsRoot, name)),
    health,
    socket: path === undefined ? null : { path, fault: socketFault },
  };
}

async function readFolder(folder: string): Promise<Pick<CniReading, 'files' | 'fault'>> {
  if (folder === '') return { files: null, fault: '' };
  try {
    return { files: await readdir(folder), fault: '' };
  } catch (error) {
    return { files: null, fault: faultOf(error) };
  }
}

/** Judges the CNI: its folder holds a configuration, its interfaces are up, and its agent says that it is well. */
export function judgeCni(reading: CniReading): Verdict {
  const files = (reading.files ?? []).filter((name) => configurationFile.test(name)).sort();
  const links = judgeInterfaces(reading.interfaces);
  const value = {
    config_dir: reading.configDir,
    files,
    ...links.value,
    http_status: reading.health?.answered ? reading.health.status : null,
  };
  const fault =
    folderFault(reading, files) ??
    (links.status === 'ok' ? null : links.reason) ??
    healthFault(reading.health) ??
    socketFault(reading.socket);
  return fault === null ? ok(value) : failed(`CNI: ${fault}`, value);
}

function folderFault({ configDir, files, fault }: CniReading, found: string[]): string | null {
  if (configDir === '') return null;
  if (files === null) {
    return `${configDir} ${fault === 'ENOENT' ? 'does not exist' : `cannot be read (${fault})`}`;
  }
  return found.length === 0 ? `${configDir} holds no configuration` : null;
}

function healthFault(health: HttpReading | null): string | null {
  if (health === null) return null;
  if (!health.answered) return health.timedOut ? 'its agent does not answer' : `its agent: ${health.fault}`;
  return health.status < 300 ? null : `its agent is not healthy (HTTP ${health.status})`;
}

function socketFault(socket: CniReading['socket']): string | null {
  if (!socket?.fault) return null;
  const { path, fault } = socket;
  return fault === 'timeout' ? `its agent does not answer on ${path}` : `its agent: ${path} (${fault})`;
}
