import type { TestPoint } from '../../../shared/config/probes.ts';
import { failed, type Verdict } from '../verdict.ts';
import { readDefaultGateway } from './gateway.ts';
import { probeIcmp } from './icmp.ts';
import { probeTcp } from './tcp.ts';

/** Asks a north-south test point, in the way that the configuration names. */
export async function probeTestPoint(
  { name, address, method, port, timeout }: TestPoint,
  findGateway = readDefaultGateway,
): Promise<Verdict> {
  const host = address === 'auto' ? findGateway() : address;
  if (host === null) return failed(`${name}: there is no default route`);
  const label = `${name} ${host}`;
  return method === 'tcp' && port !== undefined
    ? probeTcp(host, port, timeout, label)
    : probeIcmp(host, timeout, label);
}
