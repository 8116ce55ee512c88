import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** RTF_UP and RTF_GATEWAY of linux/route.h: the route is in use, by way of a gateway. */
const usableGateway = 0x1 | 0x2;

interface Route {
  gateway: string;
  metric: number;
}

/**
 * The gateway of the default route with the lowest metric, from the text of `/proc/net/route` (IPv4, addresses as hex digits in
 * the byte order of a little-endian machine).
 * @returns null when there is none
 */
export function defaultGateway4(routes: string): string | null {
  const defaults = routes
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/))
    .filter(([, destination, , flags, , , , mask]) => {
      return destination === '00000000' && mask === '00000000' && isUsable(flags);
    })
    .filter(([, , gateway]) => /^[0-9A-F]{8}$/i.test(gateway ?? ''))
    .map(([, , gateway = '', , , , metric]) => ({
      gateway: [...Buffer.from(gateway, 'hex')].reverse().join('.'),
      metric: Number(metric),
    }));
  return nearest(defaults);
}

/**
 * The same from the text of `/proc/net/ipv6_route`: all numbers in hex, addresses in the order of the network. A link-local
 * gateway, as router advertisements have it, is given with its interface: `fe80::1%eth0`.
 */
export function defaultGateway6(routes: string): string | null {
  const defaults = routes
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([destination, length, , , , , , , flags]) => {
      return /^0{32}$/.test(destination ?? '') && length === '00' && isUsable(flags);
    })
    .filter(([, , , , gateway]) => /^[0-9a-f]{32}$/i.test(gateway ?? ''))
    .map(([, , , , gateway = '', metric = '', , , , device = '']) => ({
      gateway: scoped(gateway.match(/.{4}/g)?.join(':') ?? '', device),
      metric: Number.parseInt(metric, 16),
    }));
  return nearest(defaults);
}

function isUsable(flags: string | undefined): boolean {
  return (Number.parseInt(flags ?? '', 16) & usableGateway) === usableGateway;
}

function nearest(routes: Route[]): string | null {
  return routes.sort((one, other) => one.metric - other.metric)[0]?.gateway ?? null;
}

/** @param address eight groups of four hex digits */
function scoped(address: string, device: string): string {
  // The host part of a URL has the shortest form of an address (RFC 5952).
  const short = new URL(`http://[${address}]`).hostname.slice(1, -1);
  return /^fe[89ab]/i.test(short) ? `${short}%${device}` : short;
}

/** The gateway as the kernel has it now, IPv4's before IPv6's: it may change with every lease or router advertisement. */
export function readDefaultGateway(procNet = '/proc/net'): string | null {
  return (
    defaultGateway4(readFileSync(join(procNet, 'route'), 'utf8')) ??
    defaultGateway6(readIfThere(join(procNet, 'ipv6_route')))
  );
}

/** Empty where the kernel has no IPv6. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
