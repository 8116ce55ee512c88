import type { TestPoint } from '../../../shared/config/probes.ts';
import { failed, type Verdict } from '../verdict.ts';
import { readDefaultGateway } from './gateway.ts';

/**
 * Asks a north-south test point.
 * @param ask asks an address, in the way that the configuration names
 */
export async function probeTestPoint(
  { name, address }: Pick<TestPoint, 'name' | 'address'>,
  ask: (address: string, label: string) => Promise<Verdict>,
  findGateway = readDefaultGateway,
): Promise<Verdict> {
  const host = address === 'auto' ? findGateway() : address;
  if (host === null) return failed(`${name}: there is no default route`);
  return ask(host, `${name} ${host}`);
}
