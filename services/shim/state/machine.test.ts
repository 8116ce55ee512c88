import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Signal } from '../../../shared/messages.ts';
import { type Machine, startMachine, step } from './machine.ts';
import { memorySchema } from './persisted.ts';
import { SimulatedPair, simulatedConfig } from './simulation/pair.ts';
import { playTrace, readTraces } from './simulation/trace.ts';

/**
 * Every reachable pair of machines, breadth first: from two nodes that boot, each single change of the conditions, at once or
 * after all times have passed, until nothing new is found. Machines are the same when nothing that they could ever do
 * differs: times count as "passed or not".
 */

/** What may be so or not. The letters are the nodes: `a` is the configured leader. */
const conditions = {
  partition: ['aHears', 'bHears', 'link', 'aReach', 'bReach', 'aHealthy', 'bHealthy'],
  lifeCycle: [
    'aHears',
    'bHears',
    'link',
    'aReach',
    'aProber',
    'bProber',
    'aStays',
    'aBoots',
    'bBoots',
    'bVerified',
  ],
} as const;
type Condition = (typeof conditions)[keyof typeof conditions][number];
type Conditions = Readonly<Record<Condition, boolean>>;

const allWell: Conditions = {
  aHears: true,
  bHears: true,
  link: true,
  aReach: true,
  bReach: true,
  aHealthy: true,
  bHealthy: true,
  aProber: true,
  bProber: true,
  aStays: true,
  aBoots: true,
  bBoots: true,
  bVerified: true,
};

interface Pair {
  readonly a: Machine;
  readonly b: Machine;
  readonly now: Conditions;
  /** The follower has something to merge. */
  readonly wroteAlone: boolean;
  readonly nowMs: number;
}

/** Passing them one after the other passes every time of the default configuration. */
const jumpsMs = [1_000, 4_001, 5_000, 20_000, 10_000];
const windowMs = 5_000;

const signal = (name: string, ok: boolean, nowMs: number, value: Signal['value'] = {}): Signal => {
  const [area, check = ''] = name.split('.') as [Signal['area'], string];
  const at = new Date(nowMs).toISOString();
  return {
    v: 1,
    node: '',
    area,
    check,
    status: ok ? 'ok' : 'failed',
    since: at,
    at,
    seq: 0,
    ttl_ms: name === 'eastwest.beat' ? 3_000 : 30_000,
    reason: '',
    severity: 'fatal',
    boot_id: '',
    value,
  };
};

function tell(machine: Machine, pair: Pair, peer: Machine): Machine {
  const { now, nowMs } = pair;
  const isA = machine.config.role === 'leader';
  const verdict = peer.memory.verdict;
  const beat = {
    peer_state: verdict.state,
    peer_reason: verdict.reason,
    peer_state_age_ms: nowMs - verdict.sinceMs,
    peer_leaving: !isA && !now.aStays,
  };
  const prober = isA ? now.aProber : now.bProber;
  const heard =
    (isA ? now.aHears && now.bProber : now.bHears && now.aProber) && (isA ? now.bBoots : now.aBoots);
  const reach = isA ? now.aReach : now.bReach;
  const local = ['nic', 'vnic', 'cni', 'storage', 'datastore'].map((check) =>
    signal(`local.${check}`, true, nowMs),
  );
  const signals = [
    ...local,
    signal('local.api', isA ? now.aHealthy : now.bHealthy, nowMs),
    signal('northsouth.gateway', reach, nowMs),
    signal('northsouth.wan', reach, nowMs),
    signal('eastwest.beat', heard, nowMs, beat),
  ];
  const datastore = {
    logVerified: isA || now.bVerified,
    neverJoined: false,
    logLink: now.link && now.aBoots && now.bBoots ? ('works' as const) : ('down' as const),
    reconverged: !pair.wroteAlone,
    failure: null,
  };
  const told = prober ? step(machine, { kind: 'signals', nowMs, signals }).machine : machine;
  return step(told, { kind: 'datastore', nowMs, datastore }).machine;
}

/** Both take in what is the case, twice, so that each has heard how the other took it. */
function settle(pair: Pair): Pair {
  let { a, b } = pair;
  for (let round = 0; round < 2; round++) {
    if (pair.now.aBoots) a = seen(tell(a, pair, b));
    if (pair.now.bBoots) b = seen(tell(b, pair, a));
    pairsSeen.add(`${a.memory.verdict.state} ${b.memory.verdict.state}`);
  }
  const works = pair.now.link && b.memory.peer.heard;
  const wroteAlone = !works && (pair.wroteAlone || b.memory.verdict.state === 'LeaderRX');
  return { ...pair, a, b, wroteAlone };
}

const pairsSeen = new Set<string>();

/** I1, in each step of each machine. */
function seen(machine: Machine): Machine {
  const { state } = machine.memory.verdict;
  if (machine.config.role === 'follower') assert.is.not(state, 'Leader');
  else assert.is.not(state, 'Follower');
  return machine;
}

function pass(pair: Pair, jumps: readonly number[]): Pair {
  return jumps.reduce((at, ms) => settle({ ...at, nowMs: at.nowMs + ms }), pair);
}

/** A node that boots is a new machine with the old memory. */
function change(pair: Pair, name: Condition): Pair {
  const now = { ...pair.now, [name]: !pair.now[name] };
  const changed = { ...pair, now };
  const boot = (machine: Machine) =>
    startMachine(machine.config, machine.memory, `boot-${pair.nowMs}`, pair.nowMs).machine;
  if (name === 'aBoots' && now.aBoots) return { ...changed, a: boot(pair.a) };
  if (name === 'bBoots' && now.bBoots) return { ...changed, b: boot(pair.b) };
  return changed;
}

function begin(nowMs: number): Pair {
  const start = (config: Machine['config']) => startMachine(config, null, 'boot-0', nowMs).machine;
  const a = start(simulatedConfig('node-a', 'node-b', 'leader'));
  const b = start(simulatedConfig('node-b', 'node-a', 'follower'));
  return { a, b, now: allWell, wroteAlone: false, nowMs };
}

/** How long ago, as far as any rule cares. */
function passed(sinceMs: number | null | undefined, nowMs: number): number {
  if (sinceMs === null || sinceMs === undefined) return -1;
  return [windowMs, 10_000, 30_000].filter((ms) => nowMs - sinceMs >= ms).length;
}

function fingerprint({ memory, known }: Machine, nowMs: number): string {
  const { verdict, incident, peer } = memory;
  const reach = known.checks['northsouth.wan'];
  const isLateLoss =
    incident && reach?.status === 'failed' && reach.sinceMs > incident.startMs + windowMs ? 'late' : '';
  return [
    verdict.state,
    verdict.reason,
    memory.bootOver,
    incident ? `${incident.coversNorthSouth}${passed(incident.startMs, nowMs) > 0}${isLateLoss}` : '-',
    `${peer.heard}${peer.health}${peer.saysLeader}${peer.logLink}`,
    passed(memory.linkDownSinceMs, nowMs),
    passed(known.proberSeenMs, nowMs) > 1,
    known.checks['eastwest.beat']?.status === 'failed' && !memory.bootOver
      ? passed(known.checks['eastwest.beat'].sinceMs, nowMs)
      : '',
  ].join(' ');
}

const keyOf = ({ a, b, now, wroteAlone, nowMs }: Pair) =>
  `${JSON.stringify(now)} ${wroteAlone} | ${fingerprint(a, nowMs)} | ${fingerprint(b, nowMs)}`;

function explore(names: readonly Condition[]): Pair[] {
  const first = begin(Date.parse('2026-01-01T12:00:00Z'));
  const found = new Map<string, Pair>([[keyOf(first), first]]);
  const queue = [first];
  for (let pair = queue.shift(); pair; pair = queue.shift()) {
    const changes = [pair, ...names.map((name) => change(pair as Pair, name))];
    const next = changes.flatMap((changed) => [pass(changed, jumpsMs.slice(0, 1)), pass(changed, jumpsMs)]);
    for (const candidate of next) {
      const key = keyOf(candidate);
      if (found.has(key)) continue;
      found.set(key, candidate);
      queue.push(candidate);
    }
  }
  return [...found.values()];
}

function mend(pair: Pair): Pair {
  const names = Object.keys(allWell) as Condition[];
  const broken = names.filter((name) => !pair.now[name]);
  return broken.reduce(change, pair);
}

for (const [name, names] of Object.entries(conditions)) {
  test(`every reachable pair (${name}): never two Leaders, and all heal`, () => {
    pairsSeen.clear();
    const t0 = Date.now();
    const pairs = explore(names);
    console.log(pairs.length, [...pairsSeen].sort(), Date.now() - t0);
    for (const pair of pairs) {
      const { a, b } = pass(mend(pair), jumpsMs);
      assert.is(a.memory.verdict.state, 'Leader', keyOf(pair));
      assert.is(b.memory.verdict.state, 'Follower', keyOf(pair));
    }
  });
}

for (const { name, paragraphs } of readTraces()) {
  test(`${name}: shims that are restarted at every tick say the same`, () => {
    const pair = new SimulatedPair();
    pair.restartsNow = () => true;
    for (const [index, { transcript }] of playTrace(pair, paragraphs).entries()) {
      assert.is(transcript, paragraphs[index]?.transcript);
    }
  });
}

test('the memory of each moment is readable', () => {
  for (const { paragraphs } of readTraces()) {
    const pair = new SimulatedPair();
    pair.onStep = ({ leader, follower }) => {
      for (const { machine } of [leader, follower]) {
        if (machine)
          assert.equal(memorySchema.parse(JSON.parse(JSON.stringify(machine.memory))), machine.memory);
      }
    };
    playTrace(pair, paragraphs.slice(0, 3));
  }
});

test.run();
