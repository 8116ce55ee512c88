import { setTimeout as delay } from 'node:timers/promises';
import { type Part, parts } from './machine.ts';
import { type NodeName, nodeNames } from './network.ts';
import type { Site } from './site.ts';
import { copyOf, truncate, wipe } from './store-damage.ts';

/** Something that goes wrong while a client on each side writes. */
export interface LoadFault {
  name: string;
  make: (site: Site) => unknown;
  heal: (site: Site) => unknown;
  lastsMs: number;
}

const hourMs = 3_600_000;
const wellLimitMs = 90_000;
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

const killed = (node: NodeName, part: Part): LoadFault => ({
  name: `kill -9 of the ${part} of ${node}`,
  make: ({ machines }) => machines[node].signal(part, 'SIGKILL'),
  // Its supervisor starts it again; a kube-apiserver has none here.
  heal: ({ machines }) => (part === 'kube-apiserver' ? machines[node].startApiserver() : undefined),
  lastsMs: 5_000,
});

const killedOnBoth = (part: Part): LoadFault => ({
  name: `kill -9 of the ${part} of both nodes`,
  make: ({ machines }) => {
    for (const node of nodeNames) machines[node].signal(part, 'SIGKILL');
  },
  heal: () => undefined,
  lastsMs: 5_000,
});

const paused = (node: NodeName, part: Part): LoadFault => ({
  name: `SIGSTOP of the ${part} of ${node}, 15 s`,
  make: ({ machines }) => machines[node].signal(part, 'SIGSTOP'),
  heal: ({ machines }) => machines[node].signal(part, 'SIGCONT'),
  lastsMs: 15_000,
});

const powerCut: LoadFault = {
  name: 'both nodes lose power at once',
  make: ({ machines }) => {
    for (const node of nodeNames) machines[node].powerOff();
  },
  heal: (site) => Promise.all(nodeNames.map((node) => site.powerOn(node))),
  lastsMs: 2_000,
};

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

const bothParts: readonly Part[] = ['shim', 'nats-server', 'prober'];

/** In the order of their run: those that damage a store come last. */
export const loadFaults: readonly LoadFault[] = [
  ...[1, 5, 30, 300].map(cut),
  oneWay('node-a', 'node-b'),
  oneWay('node-b', 'node-a'),
  ...[5, 20, 30].map(loss),
  flapping(1, 20),
  flapping(0.1, 180),
  ...nodeNames.flatMap((node) => parts.map((part) => killed(node, part))),
  ...bothParts.map(killedOnBoth),
  ...nodeNames.flatMap((node) => parts.map((part) => paused(node, part))),
  powerCut,
  ...nodeNames.flatMap((node) => [-5, 5].map((hours) => steppedClock(node, hours))),
  ...(['node-b', 'node-a'] as const).flatMap((node) => [
    damaged(node, 'wiped', wipe),
    rolledBack(node),
    damaged(node, 'truncated', (store) => truncate(store, 0.6)),
  ]),
];
