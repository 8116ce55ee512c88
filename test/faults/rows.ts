import { setTimeout as delay } from 'node:timers/promises';
import type { Machine } from './machine.ts';
import { type NodeName, nodeNames } from './network.ts';
import type { ExpectedStates, ExpectedWarning, Site } from './site.ts';

/** A row of the table that must hold (docs/states.md), made on a real site. */
export interface Row {
  /** For `--row`. */
  name: string;
  condition: string;
  /** What is done before the fault whose time is taken. */
  before?: (site: Site) => Promise<void>;
  make: (site: Site) => unknown;
  heal: (site: Site) => unknown;
  states: ExpectedStates;
  warning?: ExpectedWarning;
  /** How soon each node must have its state, or show its warning, in milliseconds. */
  withinMs?: number | Record<NodeName, number>;
  /** Where the write goes that a restricted follower takes. */
  followerWrites?: 'log' | 'overlay';
}

/** How soon what decides is found, in milliseconds: what the checks take by docs/probes.md, and time for a busy machine. */
const limits = {
  /** The kernel tells it. */
  pushed: 1_000,
  /** 0.8 s of silence of the peer. */
  silence: 2_000,
  /** The same of a node that is off; its peer tells its state once a second. */
  off: 3_000,
  /** Three failures, one second each: CNI and API. */
  three: 6_000,
  /** Four failures, one second each, and a timeout: north-south. */
  northSouth: 10_000,
  /** A look every 5 s. */
  slow: 12_000,
};

/** Rows that share one site's configuration. */
export interface Chapter {
  probes: Record<string, object>;
  rows: Row[];
}

const states = (leader: ExpectedStates['node-a'], follower: ExpectedStates['node-b']): ExpectedStates => ({
  'node-a': leader,
  'node-b': follower,
});

/** Longer than `incidentWindow`: what fails after it is a further failure. */
const incidentOverMs = 6_000;
const beforeLimitMs = 20_000;

/** Something that fails on one node, whichever. */
interface LocalFailure {
  name: string;
  condition: string;
  make: (site: Site, node: NodeName) => unknown;
  heal: (site: Site, node: NodeName) => unknown;
  /** How soon the node itself must be Impaired. */
  withinMs: number;
  /** How soon its follower must lead; default: as soon. */
  peerWithinMs?: number;
  followerWrites: 'log' | 'overlay';
}

/** The leader is Impaired and its follower leads restricted, or the reverse. */
function localFailure({ name, condition, make, heal, ...expected }: LocalFailure): Row[] {
  const { withinMs, peerWithinMs = withinMs, followerWrites } = expected;
  const row = (node: NodeName, role: string) => ({
    name: `${name}-${role}`,
    condition: `${condition}, ${role}`,
    make: (site: Site) => make(site, node),
    heal: (site: Site) => heal(site, node),
  });
  return [
    {
      ...row('node-a', 'leader'),
      states: states('Impaired', 'LeaderRX'),
      withinMs: { 'node-a': withinMs, 'node-b': peerWithinMs },
      followerWrites,
    },
    { ...row('node-b', 'follower'), states: states('Leader', 'Impaired'), withinMs },
  ];
}

function nodeFailure(node: NodeName, role: string, expected: ExpectedStates): Row {
  return {
    name: `node-${role}`,
    condition: `node failure, ${role}`,
    make: ({ machines }) => machines[node].powerOff(),
    heal: (site) => site.powerOn(node),
    states: expected,
    withinMs: { 'node-a': limits.silence, 'node-b': limits.silence, [node]: limits.off },
    followerWrites: 'overlay',
  };
}

function northSouthAlone(node: NodeName, role: string): Row {
  return {
    name: `north-south-${role}`,
    condition: `north-south alone fails, ${role}`,
    make: ({ network }) => {
      network.lose(node, 'gateway', 1);
      network.lose(node, 'wan', 1);
    },
    heal: ({ network }) => network.loseNothing(node),
    states: states('Leader', 'Follower'),
    warning: { node, text: 'nothing north-south answers' },
    withinMs: limits.northSouth,
  };
}

/** Something that is only worth a warning, on one node. */
function warningOnly(
  name: string,
  condition: string,
  text: string,
  make: (machine: Machine) => void,
  heal: (machine: Machine) => void,
): Row[] {
  return nodeNames.map((node) => {
    const role = node === 'node-a' ? 'leader' : 'follower';
    return {
      name: `${name}-${role}`,
      condition: `${condition}, ${role}`,
      make: ({ machines }) => make(machines[node]),
      heal: ({ machines }) => heal(machines[node]),
      states: states('Leader', 'Follower'),
      warning: { node, text },
      withinMs: limits.slow,
    };
  });
}

const nothingFails: Row = {
  name: 'nothing',
  condition: 'nothing fails',
  make: () => undefined,
  heal: () => undefined,
  states: states('Leader', 'Follower'),
};

const joint: Row = {
  name: 'physical-joint',
  condition: 'physical network failure, joint',
  make: ({ network }) => network.stopSwitch(),
  heal: ({ network }) => network.startSwitch(),
  states: states('LeaderRX', 'LeaderRX'),
  withinMs: { 'node-a': limits.northSouth, 'node-b': limits.silence },
  followerWrites: 'overlay',
};

const eastWestAlone: Row = {
  name: 'east-west',
  condition: 'east-west link alone fails',
  make: ({ network }) => network.separate(true),
  heal: ({ network }) => network.separate(false),
  states: states('Leader', 'LeaderRX'),
  withinMs: limits.silence,
  followerWrites: 'overlay',
};

const northSouthBoth: Row = {
  name: 'north-south-both',
  condition: 'north-south alone fails, both (the gateway is dead)',
  make: ({ network }) => network.unplug('gateway'),
  heal: ({ network }) => network.plugBackIn('gateway'),
  states: states('Leader', 'Follower'),
  warning: { node: 'node-b', text: 'nothing north-south answers' },
  withinMs: limits.northSouth,
};

/** Makes another row's condition, waits for its states, and until the incident is over. */
function after(row: Row): (site: Site) => Promise<void> {
  return async (site) => {
    await row.make(site);
    await site.untilStates(row.states, beforeLimitMs);
    await delay(incidentOverMs);
  };
}

/** To its node a dead uplink looks like a joint failure, to the peer like a dead node. */
function uplinkDead(node: NodeName, role: string, expected: ExpectedStates): Row {
  return {
    name: `uplink-${role}`,
    condition: `uplink dead behind a live carrier, ${role}`,
    make: ({ network }) => network.killUplink(node),
    heal: ({ network }) => network.reviveUplink(node),
    states: expected,
    withinMs: { 'node-a': limits.northSouth, 'node-b': limits.silence },
    followerWrites: 'overlay',
  };
}

const leaderOff = nodeFailure('node-a', 'leader', states('off', 'LeaderRX'));

const furtherFailures: Row[] = [
  {
    name: 'further-api',
    condition: 'a LeaderRX suffers a further failure (API of both)',
    before: after(joint),
    make: ({ machines }) =>
      Promise.all([machines['node-a'].stopApiserver(), machines['node-b'].stopApiserver()]),
    heal: ({ network, machines }) => {
      network.startSwitch();
      machines['node-a'].startApiserver();
      machines['node-b'].startApiserver();
    },
    states: states('Impaired', 'Impaired'),
    withinMs: limits.three,
  },
  {
    name: 'further-north-south',
    condition: 'a LeaderRX suffers a further failure (north-south, follower)',
    before: after(leaderOff),
    make: ({ network }) => network.unplug('gateway'),
    heal: async (site) => {
      site.network.plugBackIn('gateway');
      await site.powerOn('node-a');
    },
    states: states('off', 'Impaired'),
    withinMs: limits.northSouth,
  },
  {
    name: 'further-carrier',
    condition: 'a LeaderRX suffers a further failure (its carrier)',
    before: after(eastWestAlone),
    make: ({ network }) => network.unplug('node-b'),
    heal: ({ network }) => {
      network.plugBackIn('node-b');
      network.separate(false);
    },
    states: states('Leader', 'Impaired'),
    withinMs: limits.pushed,
  },
];

const usual: Chapter = {
  probes: {},
  rows: [
    nothingFails,
    joint,
    ...localFailure({
      name: 'physical',
      condition: 'physical network failure (carrier lost)',
      make: ({ network }, node) => network.unplug(node),
      heal: ({ network }, node) => network.plugBackIn(node),
      withinMs: limits.pushed,
      peerWithinMs: limits.silence,
      followerWrites: 'overlay',
    }),
    ...localFailure({
      name: 'nic',
      condition: 'NIC failure (administratively down)',
      make: ({ network }, node) => network.disableNic(node),
      heal: ({ network }, node) => network.enableNic(node),
      withinMs: limits.pushed,
      peerWithinMs: limits.silence,
      followerWrites: 'overlay',
    }),
    ...localFailure({
      name: 'vnic',
      condition: 'vNIC failure (deleted)',
      make: ({ network }, node) => network.removeVnic(node),
      heal: ({ network }, node) => network.addVnic(node),
      withinMs: limits.pushed,
      followerWrites: 'log',
    }),
    ...localFailure({
      name: 'vnic-down',
      condition: 'vNIC failure (administratively down)',
      make: ({ network }, node) => network.disableVnic(node),
      heal: ({ network }, node) => network.enableVnic(node),
      withinMs: limits.pushed,
      followerWrites: 'log',
    }),
    ...localFailure({
      name: 'cni',
      condition: 'CNI failure (configuration gone)',
      make: ({ machines }, node) => machines[node].removeCni(),
      heal: ({ machines }, node) => machines[node].restoreCni(),
      withinMs: limits.three,
      followerWrites: 'log',
    }),
    ...localFailure({
      name: 'api',
      condition: 'API failure (kube-apiserver killed)',
      make: ({ machines }, node) => machines[node].stopApiserver(),
      heal: ({ machines }, node) => machines[node].startApiserver(),
      withinMs: limits.three,
      followerWrites: 'log',
    }),
    leaderOff,
    nodeFailure('node-b', 'follower', states('Leader', 'off')),
    ...furtherFailures,
    uplinkDead('node-a', 'leader', states('LeaderRX', 'LeaderRX')),
    uplinkDead('node-b', 'follower', states('Leader', 'LeaderRX')),
    eastWestAlone,
    northSouthAlone('node-a', 'leader'),
    northSouthAlone('node-b', 'follower'),
    northSouthBoth,
    ...warningOnly(
      'cpu',
      'CPU load',
      'CPU load above',
      (machine) => machine.kernel.setLoad(500),
      (machine) => machine.kernel.setLoad(0.1),
    ),
    ...warningOnly(
      'memory',
      'memory pressure',
      '% of memory available',
      (machine) => machine.kernel.setAvailableMemory(2),
      (machine) => machine.kernel.setAvailableMemory(80),
    ),
    ...warningOnly(
      'storage-low',
      'storage nearly full',
      '% space free',
      (machine) => machine.fillStore(0.9),
      (machine) => machine.emptyStore(),
    ),
    ...localFailure({
      name: 'storage-full',
      condition: 'storage full',
      make: ({ machines }, node) => machines[node].fillStore(0.98),
      heal: ({ machines }, node) => machines[node].emptyStore(),
      withinMs: limits.slow,
      // There is still room for it.
      followerWrites: 'log',
    }),
    ...localFailure({
      name: 'storage-none',
      condition: 'not one byte of storage left',
      make: ({ machines }, node) => machines[node].fillStoreToTheEnd(),
      heal: ({ machines }, node) => machines[node].emptyStore(),
      withinMs: limits.slow,
      followerWrites: 'overlay',
    }),
  ],
};

/** A site whose switch has no power of its own. */
const carrierLossIsJoint: Chapter = {
  probes: { nic: { carrierLoss: 'joint' } },
  rows: [
    {
      name: 'physical-joint-carrier',
      condition: 'physical network failure, joint (carriers lost, carrierLoss: joint)',
      make: ({ network }) => {
        network.unplug('node-a');
        network.unplug('node-b');
      },
      heal: ({ network }) => {
        network.plugBackIn('node-a');
        network.plugBackIn('node-b');
      },
      states: states('LeaderRX', 'LeaderRX'),
      withinMs: limits.silence,
      followerWrites: 'overlay',
    },
  ],
};

/** What is worth a warning elsewhere counts here, and the other way round. */
const otherSeverities: Chapter = {
  probes: { memory: { severity: 'fatal' }, cni: { severity: 'warning' } },
  rows: [
    ...localFailure({
      name: 'memory-fatal',
      condition: 'memory pressure, with severity fatal',
      make: ({ machines }, node) => machines[node].kernel.setAvailableMemory(2),
      heal: ({ machines }, node) => machines[node].kernel.setAvailableMemory(80),
      withinMs: limits.slow,
      followerWrites: 'log',
    }),
    ...warningOnly(
      'cni-warning',
      'CNI failure (configuration gone), with severity warning',
      'CNI',
      (machine) => machine.removeCni(),
      (machine) => machine.restoreCni(),
    ),
  ],
};

export const chapters: readonly Chapter[] = [usual, carrierLossIsJoint, otherSeverities];
