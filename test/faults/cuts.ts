import { setTimeout as delay } from 'node:timers/promises';
import type { NodeClient } from './node-client.ts';
import { recordsPrefix, type Site } from './site.ts';
import { withSite } from './with-site.ts';

const stateLimitMs = 10_000;
const healLimitMs = 60_000;
const writeEveryMs = 50;
/** Cuts that are no further apart count as flapping: the way back is damped. */
const flappingSeconds = 60;

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

/**
 * Cuts the link `count` times and prints how long it took, in milliseconds.
 * @returns how many goals were missed
 */
export async function runCuts(
  { count, restSeconds, sites }: CutsOptions,
  keepLogs: boolean,
): Promise<number> {
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
  console.log(`| ${cuts.length} cuts of the link | p50 ms | p99 ms | max ms | goal |\n|---|---|---|---|---|`);
  const isDamped = restSeconds <= flappingSeconds;
  const met = [
    printTimes('from the silence to LeaderRX', times(cuts, 'toState'), 1_000),
    printTimes('from the silence to the first restricted write', times(cuts, 'toWrite'), 1_200),
    isDamped
      ? printTimes('from the mended link to Follower, damped as flapping', times(cuts, 'toFollower'), null)
      : printTimes('from the mended link to Follower', times(cuts, 'toFollower'), 5_000),
  ];
  return met.filter((isMet) => !isMet).length;
}

function times(cuts: readonly Cut[], which: keyof Cut): number[] {
  return cuts.map((cut) => cut[which]).sort((one, other) => one - other);
}

/** @returns whether all are below the goal; null: there is none */
function printTimes(name: string, sorted: readonly number[], goalMs: number | null): boolean {
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  const goal = goalMs === null ? '' : `< ${goalMs}`;
  console.log(`| ${name} | ${at(0.5)} | ${at(0.99)} | ${at(1)} | ${goal} |`);
  return goalMs === null || sorted.every((ms) => ms < goalMs);
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
