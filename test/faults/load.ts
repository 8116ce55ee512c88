import { setTimeout as delay } from 'node:timers/promises';
import type { InformerAnswer, LoadAnswer } from './client-protocol.ts';
import { judgeShared, sharedKeys } from './judge-shared.ts';
import { type LoadFault, loadFaults } from './load-faults.ts';
import { type NodeName, nodeNames } from './network.ts';
import type { StateChange } from './node-client.ts';
import { judgeData } from './run-row.ts';
import { recordsPrefix, type Site, unlistedPrefix } from './site.ts';
import { withSite } from './with-site.ts';

/** Load before the fault and after the healing, in milliseconds. */
const aroundMs = 2_000;
const healLimitMs = 90_000;

interface LoadResult {
  loads: Record<NodeName, LoadAnswer>;
  informers: Record<NodeName, InformerAnswer>;
  passed: Record<NodeName, StateChange[]>;
  faultMs: number;
  toHealMs: number;
  /** Of the keys that both sides write. */
  conflicts: number;
  problems: string[];
}

/**
 * Runs each fault under load and prints what came of it.
 * @param wanted part of the names of the faults; empty: all
 * @returns how many went wrong
 */
export async function runLoad(wanted: string, keepLogs: boolean): Promise<number> {
  return withSite({ keepLogs }, async (site) => {
    console.log(
      '| fault | states of node-a, at s | states of node-b, at s | acknowledged | longest gap, s | events / lists of the informers | conflicts | refused off the list | ms to heal | |',
    );
    console.log('|---|---|---|---|---|---|---|---|---|---|');
    let wrong = 0;
    for (const [index, fault] of loadFaults.entries()) {
      if (!fault.name.includes(wanted)) continue;
      // What the fault before has left: without its kube-apiservers a site can show nothing.
      const left = await site.untilWell(healLimitMs).then(
        () => null,
        (error: Error) => error.message,
      );
      if (left !== null) {
        console.log(`${fault.name} was not made: ${left}`);
        return wrong + 1;
      }
      const result = await runFault(site, fault, index).catch((error: Error) => error);
      if (result instanceof Error) {
        console.log(`${fault.name} broke off: ${result.message}`);
        wrong++;
        await endClients(site);
        continue;
      }
      console.log(line(fault, result));
      for (const problem of result.problems) console.log(`    ${problem}`);
      if (result.problems.length > 0) wrong++;
    }
    return wrong;
  });
}

/**
 * Makes one fault under load, heals it, and judges.
 * @param index another one for each fault of a site: keys are named by it
 * @throws Error when a client beside a node cannot begin or end
 */
export async function runFault(site: Site, fault: LoadFault, index: number): Promise<LoadResult> {
  const problems: string[] = [];
  const noteProblem = (error: Error) => void problems.push(error.message);
  for (const node of nodeNames) {
    const { client, apiAccess } = site.machines[node];
    await client.startInformer(apiAccess, `load-${index}-${node}`);
    const own = `${recordsPrefix}load-${index}/${node}/`;
    await client.startLoad({ own, shared: sharedKeys(index), unlisted: `${unlistedPrefix}${node}` });
  }
  await delay(aroundMs);
  const faultMs = Date.now();
  const make = async () => fault.make(site);
  await make().catch(noteProblem);
  await delay(fault.lastsMs);
  const healMs = Date.now();
  await fault.heal(site);
  await site.untilWell(healLimitMs).catch(noteProblem);
  const toHealMs = Date.now() - healMs;
  await delay(aroundMs);
  const loads = {
    'node-a': await site.machines['node-a'].client.stopLoad(),
    'node-b': await site.machines['node-b'].client.stopLoad(),
  };
  const informers = {
    'node-a': await site.machines['node-a'].client.stopInformer(),
    'node-b': await site.machines['node-b'].client.stopInformer(),
  };
  for (const node of nodeNames) {
    problems.push(...informers[node].missed.slice(0, 3).map((each) => `${node} missed ${each}`));
    problems.push(...loads[node].wentBack.slice(0, 3).map((each) => `${node}: revision ${each}`));
    problems.push(
      ...loads[node].unlistedTaken.slice(0, 3).map((each) => `${node} took what is on no list: ${each}`),
    );
  }
  const written = new Map(nodeNames.flatMap((node) => loads[node].acknowledged));
  await judgeData(site, written).catch(noteProblem);
  const conflicts = await judgeShared(site, index, loads).catch(noteProblem);
  const passed = {
    'node-a': site.machines['node-a'].client.changesSince(faultMs),
    'node-b': site.machines['node-b'].client.changesSince(faultMs),
  };
  problems.push(...(fault.judge?.({ loads, passed }) ?? []));
  if (passed['node-b'].some(({ state }) => state === 'Leader')) problems.push('node-b was Leader');
  return {
    loads,
    informers,
    passed,
    faultMs,
    toHealMs,
    conflicts: conflicts ?? 0,
    problems,
  };
}

/** What a fault that broke off has left running. */
async function endClients({ machines }: Site): Promise<void> {
  for (const node of nodeNames) {
    const { client } = machines[node];
    await Promise.allSettled([client.stopLoad(), client.stopInformer()]);
  }
}

/** The states that a node went through, each with the seconds from the fault on. */
function pathOf(changes: readonly StateChange[], faultMs: number): string {
  const steps = changes.map(({ state, atMs }) => `${state} ${((atMs - faultMs) / 1_000).toFixed(1)}`);
  return steps.join(' > ') || 'unchanged';
}

function line({ name }: LoadFault, result: LoadResult): string {
  const { loads, informers, passed, faultMs, toHealMs, conflicts, problems } = result;
  const both = (of: (load: LoadAnswer) => unknown) => nodeNames.map((node) => of(loads[node])).join(' / ');
  const columns = [
    name,
    ...nodeNames.map((node) => pathOf(passed[node], faultMs)),
    both(({ acknowledged }) => acknowledged.length),
    both(({ longestGapMs }) => (longestGapMs / 1_000).toFixed(1)),
    nodeNames.map((node) => `${informers[node].events} / ${informers[node].lists}`).join(', '),
    conflicts,
    both(({ unlistedRefused }) => unlistedRefused),
    toHealMs,
  ];
  return `| ${columns.join(' | ')} | ${problems.length === 0 ? 'ok' : 'WRONG'} |`;
}
