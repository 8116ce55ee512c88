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
}

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

/** Something that fails on one node, whichever: the leader is Impaired and its follower leads restricted, or the reverse. */
function localFailure(
  name: string,
  condition: string,
  make: (site: Site, node: NodeName) => unknown,
  heal: (site: Site, node: NodeName) => unknown,
): Row[] {
  const row = (node: NodeName, role: string, expected: ExpectedStates): Row => ({
    name: `${name}-${role}`,
    condition: `${condition}, ${role}`,
    make: (site) => make(site, node),
    heal: (site) => heal(site, node),
    states: expected,
  });
  return [
    row('node-a', 'leader', states('Impaired', 'LeaderRX')),
    row('node-b', 'follower', states('Leader', 'Impaired')),
  ];
}

function nodeFailure(node: NodeName, role: string, expected: ExpectedStates): Row {
  return {
    name: `node-${role}`,
    condition: `node failure, ${role}`,
    make: ({ machines }) => machines[node].powerOff(),
    heal: (site) => site.powerOn(node),
    states: expected,
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
};

const eastWestAlone: Row = {
  name: 'east-west',
  condition: 'east-west link alone fails',
  make: ({ network }) => network.separate(true),
  heal: ({ network }) => network.separate(false),
  states: states('Leader', 'LeaderRX'),
};

const northSouthBoth: Row = {
  name: 'north-south-both',
  condition: 'north-south alone fails, both (the gateway is dead)',
  make: ({ network }) => network.unplug('gateway'),
  heal: ({ network }) => network.plugBackIn('gateway'),
  states: states('Leader', 'Follower'),
  warning: { node: 'node-b', text: 'nothing north-south answers' },
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
  },
];

const usual: Chapter = {
  probes: {},
  rows: [
    nothingFails,
    joint,
    ...localFailure(
      'physical',
      'physical network failure (carrier lost)',
      ({ network }, node) => network.unplug(node),
      ({ network }, node) => network.plugBackIn(node),
    ),
    ...localFailure(
      'nic',
      'NIC failure (administratively down)',
      ({ network }, node) => network.disableNic(node),
      ({ network }, node) => network.enableNic(node),
    ),
    ...localFailure(
      'vnic',
      'vNIC failure (deleted)',
      ({ network }, node) => network.removeVnic(node),
      ({ network }, node) => network.addVnic(node),
    ),
    ...localFailure(
      'cni',
      'CNI failure (configuration gone)',
      ({ machines }, node) => machines[node].removeCni(),
      ({ machines }, node) => machines[node].restoreCni(),
    ),
    ...localFailure(
      'api',
      'API failure (kube-apiserver killed)',
      ({ machines }, node) => machines[node].stopApiserver(),
      ({ machines }, node) => machines[node].startApiserver(),
    ),
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
    ...localFailure(
      'storage-full',
      'storage full',
      ({ machines }, node) => machines[node].fillStore(0.98),
      ({ machines }, node) => machines[node].emptyStore(),
    ),
    ...localFailure(
      'storage-none',
      'not one byte of storage left',
      ({ machines }, node) => machines[node].fillStoreToTheEnd(),
      ({ machines }, node) => machines[node].emptyStore(),
    ),
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
    },
  ],
};

/** What is worth a warning elsewhere counts here, and the other way round. */
const otherSeverities: Chapter = {
  probes: { memory: { severity: 'fatal' }, cni: { severity: 'warning' } },
  rows: [
    ...localFailure(
      'memory-fatal',
      'memory pressure, with severity fatal',
      ({ machines }, node) => machines[node].kernel.setAvailableMemory(2),
      ({ machines }, node) => machines[node].kernel.setAvailableMemory(80),
    ),
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
