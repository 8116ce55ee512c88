import { setTimeout as delay } from 'node:timers/promises';
import type { NodeClient } from './node-client.ts';
import { recordsPrefix, type Site } from './site.ts';
import { withSite } from './with-site.ts';

const stateLimitMs = 10_000;
const healLimitMs = 60_000;
const writeEveryMs = 50;
interface Cut {
  /** From the cut to the follower's change to LeaderRX. */
  toState: number;
  /** From the cut to the first write that the follower acknowledges alone. */
  toWrite: number;
  /** From the mended link to Follower. */
  toFollower: number;
}

/**
 * Cuts the link `count` times and prints how long it took, in milliseconds.
 * @param restSeconds the link is well for so long before each cut: below a minute it counts as flapping, and the way back is
 * damped for longer
 */
export async function runCuts(count: number, restSeconds: number, keepLogs: boolean): Promise<void> {
  const cuts = await withSite({ keepLogs }, async (site) => {
    const all: Cut[] = [];
    for (let i = 0; i < count; i++) {
      await delay(restSeconds * 1_000);
      all.push(await oneCut(site, i));
    }
    return all;
  });
  console.log(`| ${count} cuts of the link | p50 ms | p99 ms | max ms |\n|---|---|---|---|`);
  const print = (name: string, values: number[]) => {
    const sorted = [...values].sort((one, other) => one - other);
    const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
    console.log(`| ${name} | ${at(0.5)} | ${at(0.99)} | ${sorted.at(-1)} |`);
  };
  print(
    'from the silence to LeaderRX',
    cuts.map(({ toState }) => toState),
  );
  print(
    'from the silence to the first restricted write',
    cuts.map(({ toWrite }) => toWrite),
  );
  print(
    'from the mended link to Follower',
    cuts.map(({ toFollower }) => toFollower),
  );
}

async function oneCut(site: Site, index: number): Promise<Cut> {
  const { client } = site.machines['node-b'];
  const cutMs = Date.now();
  site.network.separate(true);
  const write = firstWrite(client, `${recordsPrefix}cuts/${index}`);
  await site.untilStates({ 'node-a': 'Leader', 'node-b': 'LeaderRX' }, stateLimitMs);
  const writtenMs = await write;
  const mendMs = Date.now();
  site.network.separate(false);
  await site.untilWell(healLimitMs);
  const changedMs = (state: string) =>
    client.changesSince(cutMs).findLast((change) => change.state === state)?.atMs ?? Number.NaN;
  return {
    toState: changedMs('LeaderRX') - cutMs,
    toWrite: writtenMs - cutMs,
    toFollower: changedMs('Follower') - mendMs,
  };
}

/**
 * Begins a write every 50 ms until one is acknowledged: those that were forwarded into the dead link end as unknown, seconds later.
 * @returns when the first one was acknowledged
 */
async function firstWrite(client: NodeClient, key: string): Promise<number> {
  let firstMs: number | undefined;
  for (let i = 0; firstMs === undefined; i++) {
    client.put(`${key}/${i}`, 'alone').then(
      () => {
        firstMs ??= Date.now();
      },
      () => undefined,
    );
    await delay(writeEveryMs);
  }
  return firstMs;
}
