import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { recordsPrefix, type Site } from './site.ts';
import { withSite } from './with-site.ts';

const limitMs = 60_000;
/** Between two faults, in milliseconds: a process that ends often is started again later each time. */
const restMs = 31_000;

/** Something after which the mirror has to go on. */
interface Interruption {
  name: string;
  make: (site: Site) => void;
  /** Ends it; default: it ends by itself. */
  heal?: (site: Site) => Promise<void>;
}

const interruptions: readonly Interruption[] = [
  {
    name: 'from the mended link',
    make: ({ network }) => network.separate(true),
    heal: async (site) => {
      await site.untilStates({ 'node-a': 'Leader', 'node-b': 'LeaderRX' }, limitMs);
      site.network.separate(false);
    },
  },
  ...(['node-a', 'node-b'] as const).flatMap((node) =>
    (['nats-server', 'shim'] as const).map((part) => ({
      name: `from kill -9 of the ${part} of ${node}`,
      make: ({ machines }: Site) => machines[node].signal(part, 'SIGKILL'),
    })),
  ),
];

/** How soon the mirror goes on: prints how long it took until it held what the leader wrote meanwhile. */
export async function runMirror(count: number, keepLogs: boolean): Promise<void> {
  await withSite({ keepLogs }, async (site) => {
    console.log(`| the mirror goes on, ${count} times each | p50 ms | max ms |\n|---|---|---|`);
    for (const interruption of interruptions) {
      const times: number[] = [];
      for (let i = 0; i < count; i++) times.push(await once(site, interruption, i));
      times.sort((one, other) => one - other);
      console.log(`| ${interruption.name} | ${times[Math.floor(count / 2)]} | ${times.at(-1)} |`);
    }
  });
}

async function once(site: Site, { name, make, heal }: Interruption, index: number): Promise<number> {
  const { 'node-a': leader, 'node-b': follower } = site.machines;
  await site.untilWell(limitMs);
  await delay(restMs);
  let fromMs = Date.now();
  make(site);
  const key = `${recordsPrefix}mirror/${name.replaceAll(' ', '-')}/${index}`;
  const written = () =>
    leader.client.put(key, 'meanwhile').then(
      () => true,
      () => false,
    );
  await eventually(written, (isWritten) => isWritten);
  if (heal) {
    await heal(site);
    fromMs = Date.now();
  }
  return (await follower.client.untilStored(await leader.client.logEnd())) - fromMs;
}
