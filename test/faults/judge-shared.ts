import type { ConflictView } from '../../shared/conflicts.ts';
import type { LoadAnswer } from './client-protocol.ts';
import { type NodeName, nodeNames } from './network.ts';
import { recordsPrefix, type Site } from './site.ts';

const sharedCount = 4;

/** Below it are the keys to which both loads of a fault append. @param index of the fault */
const sharedPrefix = (index: number) => `${recordsPrefix}shared-${index}/`;
export const sharedKeys = (index: number) =>
  Array.from({ length: sharedCount }, (_, at) => `${sharedPrefix(index)}${at}`);

/**
 * All that was acknowledged of the shared keys must be in their values, or in the open conflicts, which hold both values; on either node (I2).
 * @returns how many conflicts there are
 * @throws Error that says what is lost
 */
export async function judgeShared(
  site: Site,
  index: number,
  loads: Record<NodeName, LoadAnswer>,
): Promise<number> {
  const prefix = sharedPrefix(index);
  const appended = nodeNames.flatMap((node) => loads[node].appended);
  let count = 0;
  for (const node of nodeNames) {
    const { client } = site.machines[node];
    const conflicts = await client.conflicts(site.configFile, prefix);
    const lost = lostEntries(appended, [...(await client.list(prefix)), ...conflicts.flatMap(valuesOf)]);
    if (lost.length > 0)
      throw new Error(`${node} lost ${lost.length} appends: ${lost.slice(0, 3).join(', ')}`);
    count = conflicts.length;
  }
  return count;
}

function valuesOf({ id, key, leader, follower }: ConflictView): KeyAndValue[] {
  return [leader, follower].map(({ node, value }) => {
    if (value === undefined) throw new Error(`conflict ${id} of ${key} lacks the value of ${node}`);
    return { key, value: Buffer.from(value, 'base64').toString() };
  });
}

interface KeyAndValue {
  key: string;
  value: string;
}

/** @returns key and entry of what stands in none of the values of its key */
export function lostEntries(appended: LoadAnswer['appended'], values: readonly KeyAndValue[]): string[] {
  const kept = new Set(
    values.flatMap(({ key, value }) => value.split(' ').map((entry) => `${key} ${entry}`)),
  );
  return appended.map((pair) => pair.join(' ')).filter((each) => !kept.has(each));
}
