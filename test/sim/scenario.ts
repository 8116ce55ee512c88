import { type NodeName, nodeNames } from './network.ts';
import type { ServiceName } from './node/machine.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** Makes something that goes wrong. @returns makes it well again; it is called after `forMs` */
type Fault = (world: World, random: Random, forMs: number) => () => void;

const nothing = () => undefined;
const node = (random: Random): NodeName => random.pick(nodeNames);
const serviceNames: readonly ServiceName[] = ['nats', 'prober', 'shim'];

function undoAll(undo: readonly (() => void)[]): () => void {
  return () => {
    for (const one of undo) one();
  };
}

/** The faults, by name, each as often as it stands here. */
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
    const before = { delayMs: network.delayMs, jitterMs: network.jitterMs };
    Object.assign(network, { delayMs: random.between(1, 50), jitterMs: random.between(0, 50) });
    return () => Object.assign(network, before);
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
    const [first, second] = random.chance(0.5) ? nodeNames : [...nodeNames].reverse();
    return () => {
      if (first) machines[first].powerOn();
      scheduler.after(random.between(0, 5_000), null, () => second && machines[second].powerOn());
    };
  },
  'follower disk lost': ({ machines }) => {
    const machine = machines['node-b'];
    machine.powerOff();
    machine.replaceDisk();
    return () => machine.powerOn();
  },
  'mirror truncated': ({ machines }, random) => {
    const machine = machines['node-b'];
    machine.powerOff();
    machine.truncateLog(1 + random.below(40));
    return () => machine.powerOn();
  },
  pause: ({ machines }, random, forMs) => {
    const paused = random.chance(0.4) ? serviceNames : [random.pick(serviceNames)];
    machines[node(random)].pause(paused, Math.min(forMs, 15_000));
    return nothing;
  },
  'slow disk': ({ machines }, random) => {
    const { server } = machines[node(random)];
    const before = server.syncMs;
    server.syncMs = { least: 1, most: random.between(5, 300) };
    return () => {
      server.syncMs = before;
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
  ...(['follower disk lost'] as const),
  ...(['slow disk', 'clock step', 'failed check', 'nic lost', 'joint failure'] as const),
];

/** A fault's length: mostly seconds, now and then a blink or longer. */
function lengthMs(random: Random): number {
  return Math.round(100 * 200 ** random.next());
}

/** Plans the faults of a seed: one after the other or over each other, from `fromMs` up to `toMs`. */
export function planFaults(world: World, fromMs: number, toMs: number): void {
  const random = world.random.fork();
  for (let left = 1 + random.below(7); left > 0; left--) {
    const name = random.pick(chosenFrom);
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
