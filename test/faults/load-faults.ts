import { setTimeout as delay } from 'node:timers/promises';
import type { LoadAnswer } from './client-protocol.ts';
import { type Part, parts } from './machine.ts';
import { type NodeName, nodeNames } from './network.ts';
import type { StateChange } from './node-client.ts';
import type { ExpectedStates, Site } from './site.ts';
import { copyOf, truncate, wipe } from './store-damage.ts';

/** Something that goes wrong while a client on each side writes. */
export interface LoadFault {
  name: string;
  make: (site: Site) => unknown;
  heal: (site: Site) => unknown;
  lastsMs: number;
  /** What must be true besides. @returns what is not */
  judge?: (outcome: LoadOutcome) => string[];
}

/** What a fault may be judged by. */
export interface LoadOutcome {
  loads: Record<NodeName, LoadAnswer>;
  /** The changes of state from the fault on. */
  passed: Record<NodeName, StateChange[]>;
}

const hourMs = 3_600_000;
const leafPort = 7_422;
const wellLimitMs = 90_000;
/** More than a boot with `bootGrace`. */
const aloneLimitMs = 90_000;
/** More than `bootGrace` after a boot: who may go on alone has done so by then. */
const noLongerWaitingMs = 45_000;
/** What a write may take beside a restart, in milliseconds. */
const oneWriteMs = 500;
/** Written on after the copy, so that a store which is rolled back has lost something. */
const afterCopyMs = 3_000;

const cut = (seconds: number): LoadFault => ({
  name: `link cut for ${seconds} s`,
  make: ({ network }) => network.separate(true),
  heal: ({ network }) => network.separate(false),
  lastsMs: seconds * 1_000,
});

const oneWay = (deaf: NodeName, peer: NodeName): LoadFault => ({
  name: `${deaf} does not hear ${peer}, 10 s`,
  make: ({ network }) => network.lose(deaf, peer, 1),
  heal: ({ network }) => network.loseNothing(deaf),
  lastsMs: 10_000,
});

/** Beats pass, and TCP does not. A stall that is shorter than `linkStallAfter` changes no state. */
const logStalled = (seconds: number): LoadFault => ({
  name: `log link stalls for ${seconds} s`,
  make: ({ network }) => network.stallLog(leafPort),
  heal: ({ network }) => {
    for (const node of nodeNames) network.loseNothing(node);
  },
  lastsMs: seconds * 1_000,
  judge: ({ passed }) => {
    const expected = { 'node-a': '', 'node-b': seconds < 10 ? '' : 'Impaired' };
    return nodeNames.flatMap((node) => {
      const first = passed[node][0]?.state ?? '';
      return first === expected[node] ? [] : [`${node} became ${first || 'nothing'} first`];
    });
  },
});

const loss = (percent: number): LoadFault => ({
  name: `${percent} % loss each way, 20 s`,
  make: ({ network }) => {
    network.lose('node-a', 'node-b', percent / 100);
    network.lose('node-b', 'node-a', percent / 100);
  },
  heal: ({ network }) => {
    for (const node of nodeNames) network.loseNothing(node);
  },
  lastsMs: 20_000,
});

/** Half of each period the link is cut. */
const flapping = (hertz: number, seconds: number): LoadFault => ({
  name: `link flaps at ${hertz} Hz, ${seconds} s`,
  make: async ({ network }) => {
    const halfMs = 500 / hertz;
    for (let cycles = 0; cycles < seconds * hertz; cycles++) {
      network.separate(true);
      await delay(halfMs);
      network.separate(false);
      await delay(halfMs);
    }
  },
  heal: ({ network }) => network.separate(false),
  lastsMs: 0,
});

/** @param nodes on which; at once */
const killed = (part: Part, ...nodes: NodeName[]): LoadFault => ({
  name: `kill -9 of the ${part} of ${whose(nodes)}`,
  make: ({ machines }) => {
    for (const node of nodes) machines[node].signal(part, 'SIGKILL');
  },
  // Its supervisor starts it again; a kube-apiserver has none here.
  heal: ({ machines }) => {
    if (part === 'kube-apiserver') for (const node of nodes) machines[node].startApiserver();
  },
  lastsMs: 5_000,
});

/** @param nodes on which; at once */
const paused = (part: Part, ...nodes: NodeName[]): LoadFault => ({
  name: `SIGSTOP of the ${part} of ${whose(nodes)}, 15 s`,
  make: ({ machines }) => {
    for (const node of nodes) machines[node].signal(part, 'SIGSTOP');
  },
  heal: ({ machines }) => {
    for (const node of nodes) machines[node].signal(part, 'SIGCONT');
  },
  lastsMs: 15_000,
});

const whose = (nodes: readonly NodeName[]) => (nodes.length > 1 ? 'both nodes' : nodes[0]);

const powerCut: LoadFault = {
  name: 'both nodes lose power at once',
  make: ({ machines }) => {
    for (const node of nodeNames) machines[node].powerOff();
  },
  heal: (site) => Promise.all(nodeNames.map((node) => site.powerOn(node))),
  lastsMs: 2_000,
};

const peerOf = (node: NodeName): NodeName => (node === 'node-a' ? 'node-b' : 'node-a');

const powerLost = (node: NodeName): LoadFault => ({
  name: `${node} loses power for 5 s`,
  make: ({ machines }) => machines[node].powerOff(),
  heal: (site) => site.powerOn(node),
  lastsMs: 5_000,
});

/** The first one waits for its peer, and goes on alone then. */
const powerBack = (first: NodeName, states: ExpectedStates): LoadFault => ({
  name: `both nodes lose power, ${first} is back first`,
  make: async (site) => {
    for (const node of nodeNames) site.machines[node].powerOff();
    await site.powerOn(first);
    await site.untilStates(states, aloneLimitMs);
  },
  heal: (site) => site.powerOn(peerOf(first)),
  lastsMs: 3_000,
});

/** Without its data the first one must not go on alone, however long it waits. */
const powerBackWithoutDisk = (first: NodeName): LoadFault => ({
  name: `both nodes lose power, ${first} is back first, with an empty disk`,
  make: async (site) => {
    for (const node of nodeNames) site.machines[node].powerOff();
    wipe(site.machines[first].store);
    await site.powerOn(first);
    await delay(noLongerWaitingMs);
    if (!site.isInState(first, 'Impaired')) throw new Error(`not Impaired: ${site.describe()}`);
  },
  heal: (site) => site.powerOn(peerOf(first)),
  lastsMs: 0,
});

const diskFull = (node: NodeName): LoadFault => ({
  name: `disk of ${node} is full for 15 s`,
  make: ({ machines }) => machines[node].fillStoreToTheEnd(),
  heal: ({ machines }) => machines[node].emptyStore(),
  lastsMs: 15_000,
});

/** As an operator does it: the follower first, and the leader when all is well again. */
function rollingRestart(): LoadFault {
  let leaderAwayMs = 0;
  return {
    name: 'rolling restart of both nodes',
    make: async (site) => {
      await site.machines['node-b'].restartServices();
      await site.untilWell(wellLimitMs);
      leaderAwayMs = await site.machines['node-a'].restartServices();
    },
    heal: () => undefined,
    lastsMs: 0,
    judge: ({
      loads: {
        'node-a': { longestGapMs },
      },
    }) =>
      longestGapMs <= leaderAwayMs + oneWriteMs
        ? []
        : [`the leader took no write for ${longestGapMs} ms, though it was away for ${leaderAwayMs} ms only`],
  };
}

/** A machine loses power, and its disk something with it. */
const damaged = (node: NodeName, what: string, damage: (store: string) => void): LoadFault => ({
  name: `nats store of ${node} ${what}`,
  make: ({ machines }) => {
    machines[node].powerOff();
    damage(machines[node].store);
  },
  heal: (site) => site.powerOn(node),
  lastsMs: 2_000,
});

const rolledBack = (node: NodeName): LoadFault => ({
  name: `nats store of ${node} rolled back`,
  make: async (site) => {
    const machine = site.machines[node];
    machine.powerOff();
    const putBack = copyOf(machine.store);
    await site.powerOn(node);
    await site.untilWell(wellLimitMs);
    await delay(afterCopyMs);
    machine.powerOff();
    putBack();
  },
  heal: (site) => site.powerOn(node),
  lastsMs: 0,
});

const steppedClock = (node: NodeName, hours: number): LoadFault => ({
  name: `clock of ${node} steps by ${hours} h, and back`,
  make: ({ machines }) => machines[node].stepClock(hours * hourMs),
  heal: ({ machines }) => machines[node].stepClock(0),
  lastsMs: 15_000,
});

/** In the order of their run: those that damage a store come last. */
export const loadFaults: readonly LoadFault[] = [
  ...[1, 5, 30, 300].map(cut),
  oneWay('node-a', 'node-b'),
  oneWay('node-b', 'node-a'),
  ...[6, 20].map(logStalled),
  ...[5, 20, 30].map(loss),
  flapping(1, 120),
  flapping(0.1, 180),
  ...nodeNames.flatMap((node) => parts.map((part) => killed(part, node))),
  ...parts.map((part) => killed(part, ...nodeNames)),
  ...nodeNames.flatMap((node) => parts.map((part) => paused(part, node))),
  ...parts.map((part) => paused(part, ...nodeNames)),
  ...nodeNames.map(powerLost),
  powerCut,
  powerBack('node-a', { 'node-a': 'Leader', 'node-b': 'off' }),
  powerBack('node-b', { 'node-a': 'off', 'node-b': 'LeaderRX' }),
  rollingRestart(),
  ...nodeNames.map(diskFull),
  ...nodeNames.flatMap((node) => [-5, 5].map((hours) => steppedClock(node, hours))),
  ...(['node-b', 'node-a'] as const).flatMap((node) => [
    damaged(node, 'wiped', wipe),
    rolledBack(node),
    damaged(node, 'truncated', (store) => truncate(store, 0.6)),
  ]),
  powerBackWithoutDisk('node-b'),
  powerBackWithoutDisk('node-a'),
];
