import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { failed, ok, type Verdict } from '../verdict.ts';

export const sysfsNet = '/sys/class/net';

/** Bit of `/sys/class/net/<if>/flags`: administratively up (linux/if.h). */
const IFF_UP = 0x1;

/** What the kernel says of an interface; `null` is what it does not say. */
export interface NicReading {
  interface: string;
  exists: boolean;
  flags: number | null;
  /** RFC 2863 state: `up`, `down`, `dormant`, `lowerlayerdown`, `unknown`, … */
  operstate: string | null;
  /** Null when the interface is administratively down: the kernel answers EINVAL. */
  carrier: number | null;
  /** How often carrier came or went since the interface was made. */
  carrierChanges: number | null;
}

/**
 * Reads an interface from sysfs. Synchronous on purpose: it takes 11 us and needs no thread of the pool, which a hanging
 * disk could exhaust.
 */
export function readNic(sysfsRoot: string, name: string): NicReading {
  const folder = join(sysfsRoot, name);
  const flags = readLine(join(folder, 'flags'));
  return {
    interface: name,
    exists: existsSync(folder),
    flags: flags === null ? null : Number.parseInt(flags, 16),
    operstate: readLine(join(folder, 'operstate')),
    carrier: numberOrNull(readLine(join(folder, 'carrier'))),
    carrierChanges: numberOrNull(readLine(join(folder, 'carrier_changes'))),
  };
}

function readLine(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return null;
  }
}

function numberOrNull(text: string | null): number | null {
  return text === null || text === '' ? null : Number(text);
}

/** Judges an interface: it must exist, be administratively up and have a carrier. */
export function judgeNic(reading: NicReading): Verdict {
  const { interface: name, operstate } = reading;
  const up = reading.flags !== null && (reading.flags & IFF_UP) !== 0;
  const value = {
    interface: name,
    admin: up ? 'up' : 'down',
    oper: operstate ?? 'unknown',
    carrier: reading.carrier,
    carrier_changes: reading.carrierChanges,
  };
  if (!reading.exists) return failed(`${name}: no such interface`, { ...value, kind: 'missing' });
  if (!up) return failed(`${name}: administratively down`, { ...value, kind: 'admin' });
  if (reading.carrier !== 1) return failed(`${name}: carrier lost`, { ...value, kind: 'carrier' });
  // veth, tun and lo say `unknown`: with carrier they are up.
  if (operstate === 'up' || operstate === 'unknown') return ok(value);
  return failed(`${name}: ${operstate ?? 'no operational state'}`, { ...value, kind: 'carrier' });
}

/** Reads and judges the node's NIC; the value says what lost carrier means (`probes.nic.carrierLoss`). */
export async function probeNic(
  name: string,
  carrierLoss: 'local' | 'joint',
  sysfsRoot = sysfsNet,
): Promise<Verdict> {
  const verdict = judgeNic(readNic(sysfsRoot, name));
  return { ...verdict, value: { ...verdict.value, carrier_loss: carrierLoss } };
}
