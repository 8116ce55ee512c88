import { quickSyncMs } from './nats/server.ts';
import { type NodeName, nodeNames, quickLink } from './network.ts';
import type { ServiceName, SimulatedMachine } from './node/machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** Makes something that goes wrong. @returns makes it well again; it is called after `forMs` */
type Fault = (world: World, random: Random, forMs: number) => () => void;

const nothing = () => undefined;
const node = (random: Random): NodeName => random.pick(nodeNames);
const twoOf = (random: Random): [NodeName, NodeName] =>
  random.chance(0.5) ? ['node-a', 'node-b'] : ['node-b', 'node-a'];
const serviceNames: readonly ServiceName[] = ['nats', 'prober', 'shim'];

function undoAll(undo: readonly (() => void)[]): () => void {
  return () => {
    for (const one of undo) one();
  };
}

/** The power fails, and when it is back the disk has lost something; only while the peer has a copy of everything. */
function damaged({ machines, checks }: World, name: NodeName, damage: (machine: SimulatedMachine) => void) {
  if (!checks.mayLoseDisk(name)) return nothing;
  const machine = machines[name];
  machine.powerOff();
  damage(machine);
  return () => machine.powerOn();
}

/** The faults, by name. */
const faults = {
  cut: ({ network }) => undoAll(nodeNames.map((name) => network.cut(name))),
  'one-way cut': ({ network }, random) => network.cut(node(random)),
  flap: (world, random, forMs) => {
    const periodMs = random.between(100, 5_000);
    const { scheduler, network } = world;
    const names = random.chance(0.7) ? nodeNames : [node(random)];
    for (let atMs = 0; atMs < forMs; atMs += periodMs) {
      scheduler.after(atMs, null, () => {
        const heal = undoAll(names.map((name) => network.cut(name)));
        scheduler.after(periodMs / 2, null, heal);
      });
    }
    return nothing;
  },
  loss: ({ network }, random) => {
    const ratio = random.pick([0.05, 0.2, 0.3]);
    return undoAll(nodeNames.map((name) => network.lose(name, ratio)));
  },
  'slow link': ({ network }, random) => {
    Object.assign(network, { delayMs: random.between(1, 50), jitterMs: random.between(0, 50) });
    return () => Object.assign(network, quickLink);
  },
  kill: ({ machines }, random) => {
    machines[node(random)].kill(random.pick(serviceNames));
    return nothing;
  },
  'power off': ({ machines }, random) => {
    const machine = machines[node(random)];
    machine.powerOff();
    return () => machine.powerOn();
  },
  'power off both': ({ machines, scheduler }, random) => {
    for (const name of nodeNames) machines[name].powerOff();
    const [first, second] = twoOf(random);
    return () => {
      machines[first].powerOn();
      scheduler.after(random.between(0, 15_000), null, () => machines[second].powerOn());
    };
  },
  'disk lost': (world, random) => {
    const lost = random.pick(['everything', 'the store'] as const);
    return damaged(world, node(random), (machine) => machine.replaceDisk(lost));
  },
  'log truncated': (world, random) => {
    const records = 1 + random.below(40);
    return damaged(world, node(random), (machine) => machine.truncateLog(records));
  },
  'disk rolled back': (world, random, forMs) => {
    const name = node(random);
    const back = random.pick(['everything', 'the store'] as const);
    const putBack = world.machines[name].copyDisk();
    let undo: () => void = nothing;
    world.scheduler.after(forMs * random.next(), null, () => {
      undo = damaged(world, name, () => putBack(back));
    });
    return () => undo();
  },
  'in turns': ({ machines, scheduler }, random, forMs) => {
    const [first, second] = twoOf(random);
    for (const name of nodeNames) machines[name].powerOff();
    scheduler.after(forMs * 0.05, null, () => machines[first].powerOn());
    scheduler.after(forMs * random.between(0.1, 0.9), null, () => {
      machines[first].powerOff();
      machines[second].powerOn();
    });
    return () => {
      for (const name of nodeNames)
        scheduler.after(random.between(0, 5_000), null, () => machines[name].powerOn());
    };
  },
  leave: ({ machines }, random) => {
    const machine = machines[node(random)];
    machine.leave();
    return () => machine.powerOn();
  },
  restart: ({ machines }, random) => {
    const machine = machines[node(random)];
    machine.restart();
    return () => machine.powerOn();
  },
  'disk full': ({ machines }, random) => machines[node(random)].fillDisk(),
  pause: ({ machines }, random, forMs) => {
    const paused = random.chance(0.4) ? serviceNames : [random.pick(serviceNames)];
    machines[node(random)].pause(paused, Math.min(forMs, 15_000));
    return nothing;
  },
  'slow disk': ({ machines }, random) => {
    const { server } = machines[node(random)];
    server.syncMs = { least: 1, most: random.between(5, 300) };
    return () => {
      server.syncMs = quickSyncMs;
    };
  },
  'clock step': ({ machines }, random) => {
    machines[node(random)].clock.wallOffsetMs += random.pick([-1, 1]) * random.between(1_000, 10_000_000);
    return nothing;
  },
  'failed check': ({ machines }, random) => {
    const machine = machines[node(random)];
    const check = random.pick(['local.api', 'local.cni', 'local.storage', 'local.api']);
    machine.condition(check, `${check} failed`);
    return () => machine.condition(check, '');
  },
  'nic lost': ({ machines, network }, random) => {
    const machine = machines[node(random)];
    const heal = undoAll(nodeNames.map((name) => network.cut(name)));
    machine.condition('local.nic', 'eth0: carrier lost');
    machine.condition('northsouth.gateway', 'no answer');
    return () => {
      heal();
      machine.condition('local.nic', '');
      machine.condition('northsouth.gateway', '');
    };
  },
  'joint failure': ({ machines, network }) => {
    const heal = undoAll(nodeNames.map((name) => network.cut(name)));
    for (const name of nodeNames) machines[name].condition('northsouth.gateway', 'no answer');
    return () => {
      heal();
      for (const name of nodeNames) machines[name].condition('northsouth.gateway', '');
    };
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;

/** Names stand here as often as they weigh. */
const chosenFrom: readonly FaultName[] = [
  ...(['cut', 'cut', 'cut', 'cut', 'one-way cut', 'one-way cut', 'flap', 'loss', 'slow link'] as const),
  ...(['kill', 'kill', 'kill', 'power off', 'power off', 'power off both', 'pause', 'pause'] as const),
  ...(['in turns', 'leave', 'restart', 'disk full'] as const),
  ...(['disk lost', 'log truncated', 'disk rolled back'] as const),
  ...(['slow disk', 'clock step', 'failed check', 'nic lost', 'joint failure'] as const),
];

/** A fault's length: mostly seconds, now and then a blink or longer. */
function lengthMs(random: Random): number {
  return Math.round(100 * 200 ** random.next());
}

export const faultNames = Object.keys(faults) as FaultName[];

/**
 * Plans the faults of a seed: one after the other or over each other, from `fromMs` up to `toMs`.
 * @param also one that is among them in any case
 */
export function planFaults(
  world: World,
  { fromMs, toMs, also }: { fromMs: number; toMs: number; also?: FaultName | undefined },
): void {
  const random = world.random.fork();
  const names = Array.from({ length: 1 + random.below(7) }, () => random.pick(chosenFrom));
  if (also) names.push(also);
  for (const name of names) {
    const atMs = random.between(fromMs, toMs);
    const forMs = Math.min(lengthMs(random), toMs - atMs);
    const own = random.fork();
    world.scheduler.after(atMs, null, () => {
      world.trace.say('fault', `${name} for ${Math.round(forMs)} ms`);
      const fault: Fault = faults[name];
      const undo = fault(world, own, forMs);
      world.scheduler.after(forMs, null, () => {
        world.trace.say('fault', `${name} is over`);
        undo();
      });
    });
  }
}
