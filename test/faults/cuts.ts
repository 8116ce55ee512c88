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

/** How the link is cut. */
export interface CutsOptions {
  count: number;
  /** The link is well for so long before each cut: below a minute it counts as flapping, and the way back is damped for longer. */
  restSeconds: number;
  /** So many sites at once share the cuts. */
  sites: number;
}

/** Cuts the link `count` times and prints how long it took, in milliseconds. */
export async function runCuts({ count, restSeconds, sites }: CutsOptions, keepLogs: boolean): Promise<void> {
  const shares = Array.from({ length: sites }, (_, at) => Math.floor((count + at) / sites));
  const onOneSite = (share: number, at: number) =>
    withSite({ keepLogs }, async (site) => {
      const all: Cut[] = [];
      // Sites that are cut at the same moment would measure each other.
      await delay((restSeconds * 1_000 * at) / sites);
      for (let i = 0; i < share; i++) {
        await delay(restSeconds * 1_000);
        all.push(await oneCut(site, i));
      }
      return all;
    });
  const cuts = (await Promise.all(shares.map(onOneSite))).flat();
  console.log(`| ${cuts.length} cuts of the link | p50 ms | p99 ms | max ms |\n|---|---|---|---|`);
  printTimes('from the silence to LeaderRX', cuts, ({ toState }) => toState);
  printTimes('from the silence to the first restricted write', cuts, ({ toWrite }) => toWrite);
  printTimes('from the mended link to Follower', cuts, ({ toFollower }) => toFollower);
}

function printTimes(name: string, cuts: readonly Cut[], time: (cut: Cut) => number): void {
  const sorted = cuts.map(time).sort((one, other) => one - other);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  console.log(`| ${name} | ${at(0.5)} | ${at(0.99)} | ${sorted.at(-1)} |`);
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
