import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Signal } from '../../../shared/messages.ts';
import { type Machine, startMachine, step } from './machine.ts';
import { simulatedConfig } from './simulation/pair.ts';

/**
 * Every reachable pair of machines, breadth first: from two nodes that boot, each single change of the conditions, at once or
 * after all times have passed, until nothing new is found. Machines are the same when nothing that they could ever do
 * differs: times count as "passed or not".
 */

/**
 * What may be so or not, in groups that are enumerated each by itself. `a` is the configured leader, `b` the follower.
 * Reach is north-south; healthy stands for every fatal local check.
 */
const groups = {
  failures: {
    conditions: ['beats', 'link', 'aReach', 'bReach', 'aHealthy', 'bHealthy'],
    pairs: [
      'Impaired Impaired',
      'Impaired LeaderRX',
      'Leader Follower',
      'Leader Impaired',
      'Leader LeaderRX',
      'LeaderRX Impaired',
      'LeaderRX LeaderRX',
    ],
  },
  /** A leader that is isolated while its follower still hears it: only in passing, or when it is not heard itself. */
  'one-way cuts': {
    conditions: ['aHears', 'bHears', 'link', 'aReach', 'bReach'],
    pairs: [
      'Impaired Follower',
      'Impaired Impaired',
      'Impaired LeaderRX',
      'Leader Follower',
      'Leader Impaired',
      'Leader LeaderRX',
      'LeaderRX Follower',
      'LeaderRX Impaired',
      'LeaderRX LeaderRX',
    ],
  },
  probers: {
    conditions: ['beats', 'bReach', 'aProber', 'bProber'],
    pairs: [
      'Impaired Impaired',
      'Impaired LeaderRX',
      'Leader Follower',
      'Leader Impaired',
      'Leader LeaderRX',
    ],
  },
  boots: {
    conditions: ['beats', 'aOn', 'bOn', 'bVerified'],
    pairs: [
      'Impaired Follower',
      'Impaired Impaired',
      'Impaired LeaderRX',
      'Leader Follower',
      'Leader Impaired',
      'Leader LeaderRX',
    ],
  },
  leaving: {
    conditions: ['beats', 'bReach', 'aOn', 'aStays'],
    pairs: [
      'Impaired Impaired',
      'Impaired LeaderRX',
      'Leader Follower',
      'Leader Impaired',
      'Leader LeaderRX',
    ],
  },
} as const;
type Condition = (typeof groups)[keyof typeof groups]['conditions'][number];
type Conditions = Readonly<Record<Condition, boolean>>;

const allWell: Conditions = {
  aHears: true,
  bHears: true,
  beats: true,
  link: true,
  aReach: true,
  bReach: true,
  aHealthy: true,
  bHealthy: true,
  aProber: true,
  bProber: true,
  aOn: true,
  bOn: true,
  bVerified: true,
  aStays: true,
};

interface Pair {
  readonly a: Machine;
  readonly b: Machine;
  readonly now: Conditions;
  /** The follower has something to merge. */
  readonly wroteAlone: boolean;
  readonly nowMs: number;
}

/** One after the other they pass every time that a rule waits for: 5 s, 10 s, and after a boot 30 s. */
const soon = [1_000];
const later = [1_000, 5_000, 10_000];
const laterThanBoot = [...later, 20_000];

/** A signal of a prober that notices at once. All but the beat are told when they change. */
function signal(name: string, ok: boolean, nowMs: number, value: Signal['value'] = {}): Signal {
  const [area, check = ''] = name.split('.') as [Signal['area'], string];
  const at = new Date(nowMs).toISOString();
  const ttl_ms = name === 'eastwest.beat' ? 3_000 : Number.MAX_SAFE_INTEGER;
  const status = ok ? 'ok' : 'failed';
  return {
    v: 1,
    node: '',
    area,
    check,
    status,
    since: at,
    at,
    seq: 0,
    ttl_ms,
    reason: '',
    severity: 'fatal',
    boot_id: '',
    value,
  };
}

/** What is the case, as one of the nodes can find out. */
function viewOf({ now }: Pair, isA: boolean) {
  const peerSends = isA ? now.bOn && now.bProber : now.aOn && now.aProber;
  return {
    prober: isA ? now.aProber : now.bProber,
    heard: now.beats && peerSends && (isA ? now.aHears : now.bHears),
    reach: isA ? now.aReach : now.bReach,
    healthy: isA ? now.aHealthy : now.bHealthy,
    verified: isA || now.bVerified,
    peerStays: isA || now.aStays,
    link: now.link && now.aOn && now.bOn,
  };
}

function tell(machine: Machine, pair: Pair, peer: Machine): Machine {
  const { nowMs } = pair;
  const view = viewOf(pair, machine.config.role === 'leader');
  const { verdict } = peer.memory;
  const results: [string, boolean][] = [
    ...['nic', 'vnic', 'cni', 'storage', 'datastore'].map((check): [string, boolean] => [
      `local.${check}`,
      true,
    ]),
    ['local.api', view.healthy],
    ['northsouth.gateway', view.reach],
    ['northsouth.wan', view.reach],
  ];
  const news = results.filter(([name, ok]) => machine.known.checks[name]?.status !== (ok ? 'ok' : 'failed'));
  const beat = signal('eastwest.beat', view.heard, nowMs, {
    peer_state: verdict.state,
    peer_reason: verdict.reason,
    peer_state_age_ms: nowMs - verdict.sinceMs,
    peer_leaving: !view.peerStays,
  });
  const signals = [...news.map(([name, ok]) => signal(name, ok, nowMs)), beat];
  const datastore = {
    logVerified: view.verified,
    notices: [],
    neverJoined: false,
    logLink: view.link ? ('works' as const) : ('down' as const),
    reconverged: !pair.wroteAlone,
    failure: null,
  };
  const told = view.prober ? step(machine, { kind: 'signals', nowMs, signals }).machine : machine;
  return step(told, { kind: 'datastore', nowMs, datastore }).machine;
}

/** Both take in what is the case, twice, so that each has heard how the other took it. */
function settle(pair: Pair): Pair {
  let { a, b } = pair;
  for (let round = 0; round < 2; round++) {
    if (pair.now.aOn) a = seen(tell(a, pair, b));
    if (pair.now.bOn) b = seen(tell(b, pair, a));
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

function pass(pair: Pair, jumpsMs: readonly number[]): Pair {
  let at = pair;
  for (const ms of jumpsMs) at = settle({ ...at, nowMs: at.nowMs + ms });
  return at;
}

/** A node that boots is a new machine with the old memory. */
function change(pair: Pair, name: Condition): Pair {
  const now = { ...pair.now, [name]: !pair.now[name] };
  const changed = { ...pair, now };
  const boot = (machine: Machine) =>
    startMachine(machine.config, machine.memory, `boot-${pair.nowMs}`, pair.nowMs).machine;
  if (name === 'aOn' && now.aOn) return { ...changed, a: boot(pair.a) };
  if (name === 'bOn' && now.bOn) return { ...changed, b: boot(pair.b) };
  return changed;
}

function begin(nowMs: number): Pair {
  const start = (config: Machine['config']) => startMachine(config, null, 'boot-0', nowMs).machine;
  const a = start(simulatedConfig('node-a', 'node-b', 'leader'));
  const b = start(simulatedConfig('node-b', 'node-a', 'follower'));
  return { a, b, now: allWell, wroteAlone: false, nowMs };
}

/** Whether a time has passed since then, as far as a rule cares; a dash when there is no such moment. */
function passed(sinceMs: number | null | undefined, limitMs: number, nowMs: number): string {
  if (sinceMs === null || sinceMs === undefined) return '-';
  return String(nowMs - sinceMs >= limitMs);
}

function fingerprint({ config, memory, known }: Machine, nowMs: number): string {
  const { verdict, incident, peer } = memory;
  const reach = known.checks['northsouth.wan'];
  const beat = known.checks['eastwest.beat'];
  const lostMs = reach?.status === 'failed' ? reach.sinceMs : null;
  const isLate = incident && lostMs !== null && lostMs > incident.startMs + config.incidentWindowMs;
  return [
    verdict.state,
    verdict.reason,
    memory.bootOver || passed(beat?.sinceMs, config.bootGraceMs, nowMs),
    incident?.coversNorthSouth,
    isLate || passed(incident?.startMs, config.incidentWindowMs, nowMs),
    peer.heard,
    peer.health,
    peer.saysLeader,
    peer.logLink,
    passed(memory.linkDownSinceMs, config.linkStallAfterMs, nowMs),
    passed(memory.linkUpSinceMs, 2_000, nowMs),
    passed(known.proberSeenMs, config.staleAfterMs, nowMs),
  ].join(' ');
}

const keyOf = ({ a, b, now, wroteAlone, nowMs }: Pair) =>
  `${JSON.stringify(now)} ${wroteAlone} | ${fingerprint(a, nowMs)} | ${fingerprint(b, nowMs)}`;

function explore(names: readonly Condition[]): Pair[] {
  const all = names.includes('aOn') ? laterThanBoot : later;
  const first = begin(Date.parse('2026-01-01T12:00:00Z'));
  const found = new Map<string, Pair>([[keyOf(first), first]]);
  const queue = [first];
  for (let pair = queue.shift(); pair; pair = queue.shift()) {
    const from = pair;
    for (const changed of [from, ...names.map((name) => change(from, name))]) {
      for (const next of [pass(changed, soon), pass(changed, all)]) {
        const key = keyOf(next);
        if (found.has(key)) continue;
        found.set(key, next);
        queue.push(next);
      }
    }
  }
  return [...found.values()];
}

function mend(pair: Pair): Pair {
  const names = Object.keys(allWell) as Condition[];
  const broken = names.filter((name) => !pair.now[name]);
  return broken.reduce(change, pair);
}

for (const [name, { conditions, pairs }] of Object.entries(groups)) {
  test(`every reachable pair (${name}): never two Leaders, and all heal`, () => {
    pairsSeen.clear();
    const reached = explore(conditions);
    assert.equal([...pairsSeen].sort(), pairs);
    for (const pair of reached) {
      const { a, b } = pass(mend(pair), laterThanBoot);
      assert.is(a.memory.verdict.state, 'Leader', keyOf(pair));
      assert.is(b.memory.verdict.state, 'Follower', keyOf(pair));
    }
  });
}

test.run();
