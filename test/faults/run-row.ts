import { setTimeout as delay } from 'node:timers/promises';
import { inOddBand } from '../../services/shim/store/revision-band.ts';
import { detours, lateNodes, type Passed } from './judge-states.ts';
import { type NodeName, nodeNames } from './network.ts';
import type { StateChange } from './node-client.ts';
import type { Row } from './rows.ts';
import { recordsPrefix, type Site } from './site.ts';

/** How long a node may take to the state of a row, and both to come back, in milliseconds. */
const stateLimitMs = 20_000;
const healLimitMs = 60_000;
/** The states must hold for so long after they are reached, and so long after the fault: north-south verdicts take 5 s. */
const holdMs = 2_000;
const watchMs = 8_000;
const writesBefore = 10;

/** What came of a row. */
export interface RowResult {
  name: string;
  condition: string;
  /** The states that each node went through from the fault on, until it was healed. */
  passed: Passed;
  /** From the fault until the last node had its state; where none changes, until the warning or the loss is told. In milliseconds. */
  toStateMs: number;
  /** From the healing until both were well, in milliseconds. */
  toHealMs: number;
  /** What is wrong; empty: nothing. */
  problems: string[];
  /** What took longer than the row allows. */
  late: string[];
}

type Written = Map<string, string>;

/** Makes the fault of a row on a site where all is well, judges the states, heals it, and judges the data. */
export async function runRow(site: Site, row: Row): Promise<RowResult> {
  const result: RowResult = {
    name: row.name,
    condition: row.condition,
    passed: { 'node-a': [], 'node-b': [] },
    toStateMs: 0,
    toHealMs: 0,
    problems: [],
    late: [],
  };
  const attempt = async (step: () => Promise<void>) => {
    try {
      await step();
    } catch (error) {
      result.problems.push((error as Error).message);
    }
  };
  const written: Written = new Map();
  // What the row before has left is not this one's.
  await attempt(() => site.untilWell(healLimitMs));
  await attempt(() => writeBefore(site, row, written));
  await attempt(async () => row.before?.(site));
  const faultMs = Date.now();
  await attempt(async () => {
    await row.make(site);
    await site.untilStates(row.states, stateLimitMs, row.warning);
    const reachedMs = Date.now() - faultMs;
    result.toStateMs = lastChangeMs(site, faultMs) ?? reachedMs;
    result.late = lateNodes(row, passedStates(site, faultMs), reachedMs);
    await delay(Math.max(holdMs, faultMs + watchMs - Date.now()));
    if (!site.areInStates(row.states)) throw new Error(`did not stay so: ${site.describe()}`);
  });
  result.passed = passedStates(site, faultMs);
  result.problems.push(...detours(row, result.passed));
  await attempt(() => writeDuring(site, row, written));
  await attempt(async () => {
    const healMs = Date.now();
    await row.heal(site);
    await site.untilWell(healLimitMs);
    result.toHealMs = Date.now() - healMs;
  });
  await attempt(() => judgeData(site, written));
  return result;
}

function changesOf(site: Site, node: NodeName, sinceMs: number): StateChange[] {
  return site.machines[node].client.changesSince(sinceMs);
}

function passedStates(site: Site, faultMs: number): Passed {
  const of = (node: NodeName) =>
    changesOf(site, node, faultMs).map(({ state, atMs }) => ({ state, afterMs: atMs - faultMs }));
  return { 'node-a': of('node-a'), 'node-b': of('node-b') };
}

/** From the fault to the last change of a state; null when none has changed. */
function lastChangeMs(site: Site, faultMs: number): number | null {
  const times = nodeNames.flatMap((node) => changesOf(site, node, faultMs).map(({ atMs }) => atMs - faultMs));
  return times.length === 0 ? null : Math.max(...times);
}

/** Acknowledged writes through both nodes. */
async function writeBefore(site: Site, row: Row, written: Written): Promise<void> {
  for (const node of nodeNames) {
    for (let i = 0; i < writesBefore; i++) await write(site, node, `${row.name}/${node}-${i}`, written);
  }
}

/** A node that leads, restricted or not, takes a write on the list, and where it should; an Impaired one refuses it. */
async function writeDuring(site: Site, row: Row, written: Written): Promise<void> {
  for (const node of nodeNames) {
    const expected = row.states[node];
    if (expected === 'off') continue;
    const { revision, refusal } = await write(site, node, `${row.name}/${node}-during`, written).then(
      (revision) => ({ revision, refusal: null }),
      (error: Error) => ({ revision: 0, refusal: error.message }),
    );
    if (expected === 'Impaired') {
      if (!refusal?.includes('PERMISSION_DENIED')) {
        throw new Error(`${node} is Impaired and a write was ${refusal ?? 'accepted'}`);
      }
    } else if (refusal !== null) {
      throw new Error(`${node} is ${expected} and refused a write: ${refusal}`);
    } else if (expected === 'LeaderRX' && node === 'node-b') {
      const place = inOddBand(revision) ? 'overlay' : 'log';
      if (place !== row.followerWrites) throw new Error(`the write of ${node} went into the ${place}`);
    }
  }
}

/** @returns the revision */
async function write(site: Site, node: NodeName, name: string, written: Written): Promise<number> {
  const key = `${recordsPrefix}${name}`;
  const value = `written through ${node}`;
  const revision = await site.machines[node].client.put(key, value);
  written.set(key, value);
  return revision;
}

/** All that was acknowledged is on both nodes, and both have the same keys, values and revisions. */
export async function judgeData(site: Site, written: Written): Promise<void> {
  for (const node of nodeNames) {
    const keys = await site.machines[node].client.list(recordsPrefix);
    const there = new Map(keys.map(({ key, value }) => [key, value]));
    const lost = [...written].filter(([key, value]) => there.get(key) !== value).map(([key]) => key);
    if (lost.length > 0) {
      throw new Error(`${node} lost ${lost.length} acknowledged writes: ${lost.slice(0, 3).join(', ')}`);
    }
  }
  const follower = await site.machines['node-b'].client.digest();
  const leader = await site.machines['node-a'].client.digest(follower.revision);
  if (follower.sha256 !== leader.sha256) {
    throw new Error(`the nodes hold different data at revision ${follower.revision}`);
  }
  if (follower.hashKv !== leader.hashKv) throw new Error(`HashKV differs at revision ${follower.revision}`);
}
