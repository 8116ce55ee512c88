import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type NodeName, NodeNamespaces, namespacesArePossible } from './node-namespaces.ts';

/** The probes on a real Linux network: each fault is made, its time to verdict measured, and undone. */

const possible = namespacesArePossible();
if (!possible) console.log('skipped: network namespaces need root and iproute2');

const faults = suite<{ net: NodeNamespaces }>('prober in network namespaces');

faults.before(async (context) => {
  if (!possible) return;
  context.net = new NodeNamespaces();
  context.net.mountStore('node-a', '8m');
  await context.net.start();
});

faults.after(async ({ net }) => {
  if (possible) await net.close();
});

const fault = possible ? faults : faults.skip;

/** Makes a fault, waits for the verdict, and says how long that took. */
async function timed(net: NodeNamespaces, make: () => void, node: NodeName, check: string, status: string) {
  const verdict = net.verdict(node, check, status);
  const started = performance.now();
  make();
  const { reason } = await verdict;
  const ms = Math.round(performance.now() - started);
  console.log(`  ${check} ${status} after ${ms} ms: ${reason || 'well'}`);
  return { reason, ms };
}

/** Undoes a fault, and waits until the node's link is as before. */
async function heal(net: NodeNamespaces, undo: () => void, wells: [NodeName, string][]): Promise<void> {
  const well = wells
    .filter(([node, check]) => net.last(node, check) !== 'ok')
    .map(([node, check]) => net.verdict(node, check, 'ok', 30_000));
  undo();
  await Promise.all(well);
}

const linkOfA: [NodeName, string][] = [
  ['node-a', 'local.nic'],
  ['node-a', 'eastwest.beat'],
  ['node-b', 'eastwest.beat'],
  ['node-a', 'northsouth.gateway'],
];

fault('administratively down', async ({ net }) => {
  const down = () => net.inside('node-a', 'link', 'set', 'eth0', 'down');
  const { reason, ms } = await timed(net, down, 'node-a', 'local.nic', 'failed');
  assert.is(reason, 'eth0: administratively down');
  assert.ok(ms < 300, `${ms} ms`);
  await heal(net, () => net.inside('node-a', 'link', 'set', 'eth0', 'up'), linkOfA);
});

fault('carrier lost', async ({ net }) => {
  const unplug = () => net.inside('switch', 'link', 'set', net.port('node-a'), 'down');
  const { reason, ms } = await timed(net, unplug, 'node-a', 'local.nic', 'failed');
  assert.is(reason, 'eth0: carrier lost');
  assert.ok(ms < 300, `${ms} ms`);
  await heal(net, () => net.inside('switch', 'link', 'set', net.port('node-a'), 'up'), linkOfA);
});

fault('a vNIC deleted', async ({ net }) => {
  const remove = () => net.inside('node-b', 'link', 'del', 'vf0');
  const { reason, ms } = await timed(net, remove, 'node-b', 'local.vnic', 'failed');
  assert.is(reason, 'vf0: no such interface');
  assert.ok(ms < 500, `${ms} ms`);
  const restore = () => {
    net.inside('node-b', 'link', 'add', 'vf0', 'type', 'veth', 'peer', 'name', 'vf0-host');
    for (const name of ['vf0', 'vf0-host']) net.inside('node-b', 'link', 'set', name, 'up');
  };
  await heal(net, restore, [['node-b', 'local.vnic']]);
});

fault('the gateway gone', async ({ net }) => {
  const unplug = () => net.inside('switch', 'link', 'set', net.port('gateway'), 'down');
  const both = net.verdict('node-b', 'northsouth.gateway', 'failed');
  const { ms } = await timed(net, unplug, 'node-a', 'northsouth.gateway', 'failed');
  await both;
  assert.ok(ms < 5_500, `${ms} ms`);
  await heal(net, () => net.inside('switch', 'link', 'set', net.port('gateway'), 'up'), [
    ['node-a', 'northsouth.gateway'],
    ['node-b', 'northsouth.gateway'],
  ]);
});

fault('the switch forwards nothing, carriers stay', async ({ net }) => {
  const stop = () => net.inside('switch', 'link', 'set', 'br0', 'down');
  const { ms } = await timed(net, stop, 'node-a', 'eastwest.beat', 'failed');
  assert.ok(ms < 1_000, `${ms} ms`);
  assert.is(net.last('node-a', 'local.nic'), 'ok');
  await heal(net, () => net.inside('switch', 'link', 'set', 'br0', 'up'), linkOfA);
});

fault('the peer stopped', async ({ net }) => {
  const stop = () => net.prober('node-b').kill('SIGSTOP');
  const { ms } = await timed(net, stop, 'node-a', 'eastwest.beat', 'failed');
  assert.ok(ms < 1_000, `${ms} ms`);
  await heal(net, () => net.prober('node-b').kill('SIGCONT'), linkOfA);
});

fault('one-way loss', async ({ net }) => {
  // What node-a sends to node-b goes to a MAC address that no one has; node-a still hears node-b.
  const neighbour = (...args: string[]) => net.inside('node-a', 'neighbour', ...args, 'dev', 'eth0');
  const deafen = () => neighbour('replace', '10.0.0.2', 'lladdr', '02:00:00:00:00:99', 'nud', 'permanent');
  const told = net.verdict('node-a', 'eastwest.beat', 'ok');
  const { reason, ms } = await timed(net, deafen, 'node-b', 'eastwest.beat', 'failed');
  assert.is(reason, 'no beat of node-a');
  assert.ok(ms < 1_000, `${ms} ms`);
  assert.is((await told).reason, 'node-b does not hear this node');
  await heal(net, () => neighbour('del', '10.0.0.2'), [['node-b', 'eastwest.beat']]);
});

fault('the store nearly full, then read-only', async ({ net }) => {
  const file = join(net.store('node-a'), 'filling');
  const fill = () => writeFileSync(file, Buffer.alloc(7_200 * 1024));
  await timed(net, fill, 'node-a', 'local.storage', 'warning');
  await heal(net, () => rmSync(file), [['node-a', 'local.storage']]);
  const lock = () => net.remountStore('node-a', 'ro');
  const { reason } = await timed(net, lock, 'node-a', 'local.storage', 'failed');
  assert.is(reason, `${net.store('node-a')}: file system is read-only`);
  await heal(net, () => net.remountStore('node-a', 'rw'), [['node-a', 'local.storage']]);
});

fault(
  '200 interfaces beside it cost nothing, and the prober uses less than 2 % of a core',
  async ({ net }) => {
    for (let pair = 0; pair < 100; pair++) {
      net.inside('node-a', 'link', 'add', `x${pair}`, 'type', 'veth', 'peer', 'name', `y${pair}`);
    }
    const measureMs = 10_000;
    const before = cpuSeconds(net.prober('node-a').pid);
    await delay(measureMs);
    const percent = ((cpuSeconds(net.prober('node-a').pid) - before) / (measureMs / 1000)) * 100;
    console.log(`  ${percent.toFixed(1)} % of a core`);
    const down = () => net.inside('node-a', 'link', 'set', 'eth0', 'down');
    const { ms } = await timed(net, down, 'node-a', 'local.nic', 'failed');
    assert.ok(ms < 300, `${ms} ms`);
    // A guard against a busy loop. What it takes on a quiet machine is in docs/probes.md; a busy one doubles it.
    assert.ok(percent < 10, `${percent} %`);
  },
);

/** User and system time of a process so far, with 100 ticks in a second (proc(5), fields 14 and 15 of stat). */
function cpuSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

faults.run();
