import { type NodeName, nodeNames } from './network.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** Something that goes wrong, and then is well again. */
interface Fault {
  name: string;
  /** How often it is chosen, beside the others. */
  weight: number;
  /** Makes it, for so many milliseconds; it is undone by then. */
  make: (world: World, random: Random, forMs: number) => void;
}

const later = (world: World, ms: number, run: () => void) => world.scheduler.after(ms, null, run);

const faults: readonly Fault[] = [
  {
    name: 'cut',
    weight: 4,
    make: (world, _random, forMs) => {
      for (const node of nodeNames) cut(world, node, forMs);
    },
  },
];

function cut({ network, scheduler }: World, node: NodeName, forMs: number): void {
  scheduler.after(forMs, null, network.cut(node));
}

/** A fault's length: mostly seconds, now and then a blink or longer. */
function lengthMs(random: Random): number {
  return Math.round(100 * 200 ** random.next());
}

/** Plans the faults of a seed: one after the other or over each other, from `fromMs` up to `toMs`. */
export function planFaults(world: World, fromMs: number, toMs: number): void {
  const random = world.random.fork();
  const count = 1 + random.below(6);
  const chosen = faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault));
  for (let left = count; left > 0; left--) {
    const fault = random.pick(chosen);
    const atMs = random.between(fromMs, toMs);
    const forMs = Math.min(lengthMs(random), toMs - atMs);
    const own = random.fork();
    later(world, atMs, () => {
      world.trace.say('fault', `${fault.name} for ${Math.round(forMs)} ms`);
      fault.make(world, own, forMs);
    });
  }
}
