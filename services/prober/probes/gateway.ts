import { readFileSync } from 'node:fs';

/** RTF_UP and RTF_GATEWAY of linux/route.h: the route is in use, by way of a gateway. */
const usableGateway = 0x1 | 0x2;

/**
 * The gateway of the default route with the lowest metric, from the text of `/proc/net/route` (IPv4, addresses as hex digits in
 * the byte order of a little-endian machine).
 * @returns null when there is none
 */
export function defaultGateway(routes: string): string | null {
  const defaults = routes
    .split('\n')
    .slice(1)
    .map((line) => line.split(/\s+/))
    .filter(([, destination, , flags, , , , mask]) => {
      const isDefault = destination === '00000000' && mask === '00000000';
      return isDefault && (Number.parseInt(flags ?? '', 16) & usableGateway) === usableGateway;
    })
    .sort((one, other) => Number(one[6]) - Number(other[6]));
  const hex = defaults[0]?.[2];
  if (!hex || !/^[0-9A-F]{8}$/i.test(hex)) return null;
  return [...Buffer.from(hex, 'hex')].reverse().join('.');
}

/** The gateway as the kernel has it now: it may change with every DHCP lease. */
export function readDefaultGateway(file = '/proc/net/route'): string | null {
  return defaultGateway(readFileSync(file, 'utf8'));
}
