import { createInbox } from 'nats';
import { rangeRequest } from '../../services/shim/etcd/messages.ts';
import { range } from '../../services/shim/kv/range.ts';
import { readKeyValue } from '../../services/shim/store/key-value.ts';
import type { Violation } from './checks.ts';
import { Contents } from './clients/contents.ts';
import type { Write } from './clients/history.ts';
import { isLeased, keys } from './clients/keys.ts';
import { installGlobals } from './clock/globals.ts';
import { type NodeName, nodeNames } from './network.ts';
import { type FaultName, planFaults } from './scenario.ts';
import { World } from './world.ts';

// npm `nats` draws random numbers for its first inbox: that must not be one of a seed's, else a seed that runs first differs.
createInbox();

/** Faults happen between these times; then all is healed, and the pair must come together within the last. In milliseconds. */
const faultsFromMs = 5_000;
const faultsToMs = 35_000;
const convergeWithinMs = 45_000;
/** What is on its way when the writers stop is answered within this, in milliseconds. */
const settleMs = 7_500;
/** How often it is looked whether the pair has come together. */
const lookMs = 500;

export interface SeedResult {
  seed: number;
  violations: Violation[];
  trace: readonly string[];
  digest: string;
  events: number;
  virtualMs: number;
}

export interface RunOptions {
  keepsContents?: boolean;
  /** A fault that is among those of the seed in any case. */
  also?: FaultName | undefined;
  /** What goes wrong; default: what the seed chooses. */
  plan?: (world: World) => void;
}

function planAny(world: World, also: FaultName | undefined): void {
  planFaults(world, { fromMs: faultsFromMs, toMs: faultsToMs, also });
}

/** Runs one seed from beginning to end. Equal seeds give equal traces. */
export async function runSeed(
  seed: number,
  { keepsContents = false, also, plan = (world) => planAny(world, also) }: RunOptions = {},
): Promise<SeedResult> {
  const world = new World(seed, keepsContents);
  const undo = [world.files.install(), installGlobals(world.scheduler, world.random.fork())];
  const onRejection = (error: unknown) =>
    world.checks.broken('uncaught', `a rejection that nobody handles: ${(error as Error).stack}`);
  process.on('unhandledRejection', onRejection);
  try {
    world.start();
    plan(world);
    await world.scheduler.runUntil(faultsToMs);
    await converge(world);
  } finally {
    process.off('unhandledRejection', onRejection);
    for (const putBack of undo.reverse()) putBack();
  }
  const { scheduler, trace, checks } = world;
  return {
    seed,
    violations: checks.violations,
    trace: trace.lines,
    digest: trace.digest,
    events: scheduler.events,
    virtualMs: scheduler.nowMs,
  };
}

async function converge(world: World): Promise<void> {
  const { scheduler, checks, trace } = world;
  trace.say('world', 'all is healed');
  const endMs = scheduler.nowMs + convergeWithinMs;
  while (scheduler.nowMs < endMs && checks.violations.length === 0) {
    await scheduler.runUntil(scheduler.nowMs + lookMs);
    if (isTogether(world)) break;
  }
  if (checks.violations.length > 0) return;
  if (!isTogether(world)) {
    const states = nodeNames.map((node) => `${node} is ${checks.stateOf(node) ?? 'off'}`).join(', ');
    checks.broken('convergence', `after ${convergeWithinMs} ms ${states}`);
    return;
  }
  world.stopWriters();
  await scheduler.runUntil(scheduler.nowMs + settleMs);
  compareAtEnd(world);
}

/** A shorter stall of the link changes no state: it is looked at too. */
function isTogether({ checks, machines }: World): boolean {
  return checks.isTogether && machines['node-b'].shim?.node?.replication().linkWorks === true;
}

function compareAtEnd(world: World): void {
  const { checks, watchers } = world;
  const leader = contentsOf(world, 'node-a');
  const follower = contentsOf(world, 'node-b');
  if (leader.digest !== follower.digest)
    checks.broken('convergence', `the nodes differ: ${follower.differenceFrom(leader)}`);
  for (const { name, contents } of watchers) {
    if (contents.digest !== leader.digest)
      checks.broken('I4', `${name} missed something: ${contents.differenceFrom(leader)}`);
  }
  const logged = checks.logged();
  for (const write of world.history.writes)
    if (isLost(world, write, logged, leader)) {
      checks.broken(
        'I2',
        `${write.key}=${write.value}, acknowledged by ${write.node} at ${write.revision}, is lost`,
      );
    }
}

function contentsOf({ machines }: World, node: NodeName): Contents {
  const store = machines[node].shim?.node?.database.store;
  if (!store) return new Contents();
  const request = rangeRequest.decode(Buffer.from(rangeRequest.encode(keys.all)));
  return new Contents(range(store, request, store.visible).versions.map(({ bytes }) => readKeyValue(bytes)));
}

/** Written alone and written again alone, only the last value is merged; a deletion of what is gone anyway needs no record. */
function isLost(
  { checks, history }: World,
  write: Write,
  logged: ReadonlySet<string>,
  atEnd: Contents,
): boolean {
  if (isLeased(write.key)) return false;
  const value = `${write.key}=${write.value}`;
  if (write.outcome !== 'acknowledged' || logged.has(value) || checks.excused.has(value)) return false;
  if (write.value === null && (atEnd.modRevision(write.key) ?? write.revision) >= write.revision)
    return false;
  return !history.writes.some(
    (other) =>
      other !== write &&
      other.key === write.key &&
      other.endedMs >= write.beganMs &&
      (other.outcome === 'unknown'
        ? other.node === write.node
        : other.outcome === 'acknowledged' && checks.isOneHistory(value, write.revision, other.revision)),
  );
}
