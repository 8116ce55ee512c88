import { closeSync, constants, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tellsPressure } from './kernel-files.ts';
import { type NodeName, namespacesArePossible, nodeNames, vnic } from './network.ts';
import { ProberSite } from './prober-site.ts';

/** The probes on a real Linux network: each fault is made, its time to verdict measured, and undone. */

const possible = namespacesArePossible();
if (!possible) console.log('skipped: network namespaces need root and iproute2');

const macvlan = 'mv0';
/** The interface of k3s' flannel. */
const flannel = 'flannel.1';
const faults = suite<{ site: ProberSite }>('prober in network namespaces');
const fault = possible ? faults : faults.skip;

faults.before(async (context) => {
  if (!possible) return;
  context.site = await ProberSite.build({
    probes: {
      // Not found in time by the poll: what is found of the NIC, the push has found.
      nic: { interface: 'eth0', interval: '1m', successThreshold: 1 },
      vnic: { interfaces: [vnic, macvlan] },
      // Shorter than the defaults only where one would wait for the next run, and for the healing.
      storage: { interval: '500ms' },
      beat: { upWindow: '500ms' },
    },
    cniInterfaces: [flannel],
  });
  for (const node of nodeNames) {
    addMacvlan(context.site, node);
    addFlannel(context.site, node);
  }
  await context.site.start();
});

faults.after(async ({ site }) => {
  await site?.close();
});

/** An interface on top of the NIC, as a VLAN is, which few kernels of test machines have. */
function addMacvlan({ network }: ProberSite, node: NodeName): void {
  network.ip(node, 'link', 'add', 'link', 'eth0', 'name', macvlan, 'type', 'macvlan', 'mode', 'bridge');
  network.ip(node, 'link', 'set', macvlan, 'up');
}

/** A stand-in: few kernels of test machines have VXLAN. */
function addFlannel({ network }: ProberSite, node: NodeName): void {
  network.ip(node, 'link', 'add', flannel, 'type', 'veth', 'peer', 'name', 'flannel-peer');
  for (const name of [flannel, 'flannel-peer']) network.ip(node, 'link', 'set', name, 'up');
}

interface Expected {
  node: NodeName;
  check: string;
  status: 'failed' | 'warning' | 'unknown' | 'ok';
  reason: string | RegExp;
  /** Longest time to the verdict, in milliseconds. */
  limitMs: number;
}

/** Makes a fault, waits for all that must come of it, says how long each took, undoes it, and waits until all is well. */
async function happens(
  site: ProberSite,
  make: () => unknown,
  expected: Expected[],
  undo: () => unknown,
): Promise<void> {
  const started = performance.now();
  const verdicts = expected.map(async ({ node, check, status, reason, limitMs }) => {
    const verdict = await site.verdicts.next(node, check, status);
    const ms = Math.round(performance.now() - started);
    console.log(`  ${node} ${check} ${status} after ${ms} ms: ${verdict.reason}`);
    if (typeof reason === 'string') assert.is(verdict.reason, reason);
    else assert.match(verdict.reason, reason);
    assert.ok(ms < limitMs, `${check}: ${ms} ms`);
  });
  try {
    await make();
    await Promise.all(verdicts);
  } finally {
    await undo();
  }
  await site.untilWell();
}

const nicDown: Omit<Expected, 'reason'> = {
  node: 'node-a',
  check: 'local.nic',
  status: 'failed',
  limitMs: 300,
};

fault('administratively down', ({ site }) =>
  happens(
    site,
    () => site.network.disableNic('node-a'),
    [
      { ...nicDown, reason: 'eth0: administratively down' },
      { ...nicDown, check: 'local.vnic', reason: new RegExp(`^${macvlan}: `) },
    ],
    () => site.network.enableNic('node-a'),
  ),
);

fault('carrier lost: the NIC and the vNIC on it', ({ site }) =>
  happens(
    site,
    () => site.network.unplug('node-a'),
    [
      { ...nicDown, reason: 'eth0: carrier lost' },
      { ...nicDown, check: 'local.vnic', reason: `${macvlan}: carrier lost` },
    ],
    () => site.network.plugBackIn('node-a'),
  ),
);

fault('a vNIC deleted', ({ site }) =>
  happens(
    site,
    () => site.network.removeVnic('node-b'),
    [
      {
        node: 'node-b',
        check: 'local.vnic',
        status: 'failed',
        reason: `${vnic}: no such interface`,
        limitMs: 500,
      },
    ],
    () => site.network.addVnic('node-b'),
  ),
);

fault('the interface of the CNI deleted', ({ site }) =>
  happens(
    site,
    () => site.network.ip('node-b', 'link', 'del', flannel),
    [
      {
        node: 'node-b',
        check: 'local.cni',
        status: 'failed',
        reason: `CNI: ${flannel}: no such interface`,
        limitMs: 4_000,
      },
    ],
    () => addFlannel(site, 'node-b'),
  ),
);

fault('the gateway gone, asked by ICMP and by TCP', ({ site }) =>
  happens(
    site,
    () => site.network.unplug('gateway'),
    [
      { check: 'northsouth.gateway', reason: 'gateway 10.0.0.254: no ICMP echo reply' },
      { check: 'northsouth.wan', reason: 'wan 192.0.2.1: no ICMP echo reply' },
      { check: 'northsouth.service', reason: /^service 10\.0\.0\.254: TCP port 7 / },
    ].map((point) => ({ ...point, node: 'node-a', status: 'failed', limitMs: 7_000 })),
    () => site.network.plugBackIn('gateway'),
  ),
);

fault('the switch forwards nothing, carriers stay', async ({ site }) => {
  const { network, verdicts } = site;
  await happens(
    site,
    () => network.stopSwitch(),
    [
      {
        node: 'node-a',
        check: 'eastwest.beat',
        status: 'failed',
        reason: 'no beat of node-b',
        limitMs: 1_000,
      },
      {
        node: 'node-a',
        check: 'eastwest.icmp',
        status: 'failed',
        reason: 'node-b: no ICMP echo reply',
        limitMs: 7_000,
      },
    ],
    () => {
      assert.is(verdicts.last('node-a', 'local.nic')?.status, 'ok');
      network.startSwitch();
    },
  );
});

fault("the peer's prober stopped", ({ site }) =>
  happens(
    site,
    () => process.kill(site.pid('node-b', 'prober'), 'SIGSTOP'),
    [
      {
        node: 'node-a',
        check: 'eastwest.beat',
        status: 'failed',
        reason: 'no beat of node-b',
        limitMs: 1_000,
      },
    ],
    () => process.kill(site.pid('node-b', 'prober'), 'SIGCONT'),
  ),
);

fault('one-way loss of all: told apart from death', ({ site }) =>
  happens(
    site,
    () => site.network.lose('node-b', 'node-a', 1),
    [
      {
        node: 'node-b',
        check: 'eastwest.beat',
        status: 'failed',
        reason: 'no beat of node-a',
        limitMs: 1_000,
      },
      {
        node: 'node-a',
        check: 'eastwest.beat',
        status: 'ok',
        reason: 'node-b does not hear this node',
        limitMs: 1_200,
      },
    ],
    () => site.network.loseNothing('node-b'),
  ),
);

fault('the API of a node gone, and then one that hangs', async ({ site }) => {
  await happens(
    site,
    () => site.kill('node-b', 'api'),
    [
      { node: 'node-b', check: 'local.api', status: 'failed', reason: /^API: ECONN/, limitMs: 4_500 },
      {
        node: 'node-a',
        check: 'eastwest.api',
        status: 'failed',
        reason: /^API of node-b: ECONN/,
        limitMs: 4_500,
      },
    ],
    () => site.startApi('node-b'),
  );
  await happens(
    site,
    () => process.kill(site.pid('node-b', 'api'), 'SIGSTOP'),
    [
      { node: 'node-b', check: 'local.api', status: 'failed', reason: 'API does not answer', limitMs: 9_500 },
      { node: 'node-a', check: 'eastwest.api', status: 'failed', reason: /does not answer/, limitMs: 15_000 },
    ],
    () => process.kill(site.pid('node-b', 'api'), 'SIGCONT'),
  );
});

fault('nats-server, CNI, load and memory of a node, all at once', async ({ site }) => {
  const kernel = site.kernels['node-b'];
  const configuration = join(site.cniFolder('node-b'), '10-site.conflist');
  const expected: [string, Expected['status'], string | RegExp][] = [
    ['datastore', 'failed', /^nats-server: ECONN/],
    ['cni', 'failed', `CNI: ${site.cniFolder('node-b')} holds no configuration`],
    ['cpu', 'warning', 'CPU load above 4 per core'],
    ['memory', 'warning', tellsPressure ? 'memory pressure above 20 %' : /memory/],
  ];
  await happens(
    site,
    async () => {
      kernel.setLoad(500);
      if (tellsPressure) kernel.setMemoryPressure(60);
      else kernel.setAvailableMemory(2);
      rmSync(configuration);
      await site.kill('node-b', 'nats-server');
    },
    expected.map(([check, status, reason]) => ({
      node: 'node-b',
      check: `local.${check}`,
      status,
      reason,
      limitMs: 6_000,
    })),
    () => {
      kernel.setLoad(0.1);
      kernel.setMemoryPressure(0);
      kernel.setAvailableMemory(80);
      writeFileSync(configuration, '{}');
      site.startNats('node-b');
    },
  );
});

const fillings: [string, (site: ProberSite) => void, Expected['status'], RegExp][] = [
  ['nearly full', (site) => fill(site, 7_200), 'warning', /: 12 % space free$/],
  ['full', (site) => fill(site, 8_192), 'failed', /: (no space left|\d % space free)$/],
  ['out of inodes', useAllInodes, 'failed', /: (no space left|\d % inodes free)$/],
  ['read-only', (site) => site.remountStore('node-a', 'ro'), 'failed', /: file system is read-only$/],
];

/** Writes so many KiB to the store of node-a, or as many as fit. */
function fill(site: ProberSite, kibibytes: number): void {
  untilRefused(() => writeFileSync(join(site.store('node-a'), 'filling'), Buffer.alloc(kibibytes * 1024)));
}

function useAllInodes(site: ProberSite): void {
  untilRefused(() => {
    for (let file = 0; file < 100; file++) writeFileSync(join(site.store('node-a'), `filling-${file}`), '');
  });
}

function untilRefused(write: () => void): void {
  try {
    write();
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, 'ENOSPC');
  }
}

function empty(site: ProberSite): void {
  site.remountStore('node-a', 'rw');
  const files = ['filling', ...Array.from({ length: 100 }, (_, file) => `filling-${file}`)];
  for (const file of files) rmSync(join(site.store('node-a'), file), { force: true });
}

for (const [what, make, status, reason] of fillings) {
  fault(`the store ${what}`, ({ site }) =>
    happens(
      site,
      () => make(site),
      [{ node: 'node-a', check: 'local.storage', status, reason, limitMs: 1_500 }],
      () => empty(site),
    ),
  );
}

fault('the disk of the store hangs: every other probe goes on', async ({ site }) => {
  const file = join(site.store('node-a'), '.twonode-probe');
  const configuration = join(site.cniFolder('node-a'), '10-site.conflist');
  await happens(
    site,
    () => {
      rmSync(file);
      // Who opens a FIFO to write waits in the kernel until someone reads.
      site.run('node-a', 'mkfifo', file);
    },
    [
      {
        node: 'node-a',
        check: 'local.storage',
        status: 'failed',
        reason: /: a small write does not come back$/,
        limitMs: 4_000,
      },
    ],
    async () => {
      // As many looks at the disk as the pool has threads, and then one that needs a thread.
      await delay(10_000);
      const found = site.verdicts.next('node-a', 'local.cni', 'failed', 6_000);
      rmSync(configuration);
      assert.match((await found).reason, /holds no configuration$/);
      writeFileSync(configuration, '{}');
      const reader = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
      rmSync(file);
      closeSync(reader);
    },
  );
});

/** Links to the programs of node-b that a prober may have, in a folder that is to be its path. */
function onlyPrograms(site: ProberSite, name: string, programs: string[]): string {
  const folder = join(site.folder, name);
  mkdirSync(folder);
  for (const program of programs) {
    site.run('node-b', 'sh', '-c', `ln -s "$(command -v ${program})" ${folder}/${program}`);
  }
  return folder;
}

fault('without "ip" the poll finds a deleted vNIC', async ({ site }) => {
  await site.kill('node-b', 'prober');
  const path = onlyPrograms(site, 'without-ip', ['ping', 'setpriv']);
  const lacks = site.verdicts.next('node-b', 'local.vnic', 'lacks');
  const measured = site.verdicts.next('node-b', 'local.vnic', 'ok');
  site.startProber('node-b', ['env', `PATH=${path}`]);
  assert.is(
    (await lacks).reason,
    'the program "ip" (package iproute2); changes of interfaces are seen at the next poll only',
  );
  await measured;
  await happens(
    site,
    () => site.network.removeVnic('node-b'),
    [
      {
        node: 'node-b',
        check: 'local.vnic',
        status: 'failed',
        reason: `${vnic}: no such interface`,
        limitMs: 1_000,
      },
    ],
    () => site.network.addVnic('node-b'),
  );
  await site.kill('node-b', 'prober');
  const again = site.verdicts.next('node-b', 'local.vnic', 'ok');
  site.startProber('node-b');
  await again;
});

fault(
  'without any capability: said at the start, and enough where the kernel allows echoes',
  async ({ site }) => {
    await site.kill('node-b', 'prober');
    // A copy has no capabilities of its own: what it may do, its user may.
    const programs = join(site.folder, 'bin');
    mkdirSync(programs);
    site.run('node-b', 'sh', '-c', `cp "$(command -v ping)" ${programs}/ping`);
    const drop = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', '--'];
    const lacks = site.verdicts.next('node-b', 'northsouth.gateway', 'lacks');
    const refused = site.verdicts.next('node-b', 'northsouth.gateway', 'unknown');
    site.startProber('node-b', ['env', `PATH=${programs}:${process.env.PATH}`, ...drop]);
    assert.match((await refused).reason, /lacks CAP_NET_RAW, or a group within net\.ipv4\.ping_group_range/);
    assert.match((await lacks).reason, /^CAP_NET_RAW, or a group/);
    await Promise.all(
      ['local.nic', 'local.storage', 'northsouth.service'].map((check) =>
        site.verdicts.untilOk('node-b', check),
      ),
    );
    site.run('node-b', 'sh', '-c', 'echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range');
    await site.untilWell();
  },
);

fault('200 interfaces beside it do not slow the loop', async ({ site }) => {
  for (let pair = 0; pair < 100; pair++) {
    site.network.ip('node-a', 'link', 'add', `x${pair}`, 'type', 'veth', 'peer', 'name', `y${pair}`);
  }
  const before = nicRuns(site);
  await happens(
    site,
    () => site.network.disableNic('node-a'),
    [{ ...nicDown, reason: 'eth0: administratively down' }],
    () => site.network.enableNic('node-a'),
  );
  const after = nicRuns(site);
  const eachMs = (after.tookMs - before.tookMs) / (after.runs - before.runs);
  const beforeMs = before.tookMs / before.runs;
  console.log(`  a look at the NIC takes ${eachMs.toFixed(2)} ms, before ${beforeMs.toFixed(2)} ms`);
  assert.ok(eachMs < 10, `${eachMs} ms`);
});

/** How often node-a has looked at its NIC so far, and how long that took in all. */
function nicRuns(site: ProberSite): { runs: number; tookMs: number } {
  const labels = '{area="local",check="nic"}';
  const [runs = 0, seconds = 0] = ['count', 'sum'].map((what) =>
    metric(site, `twonode_probe_duration_seconds_${what}${labels}`),
  );
  return { runs, tookMs: seconds * 1000 };
}

/** A metric of node-a's prober. */
function metric(site: ProberSite, name: string): number {
  const get = `fetch('http://127.0.0.1:9480/metrics').then((a) => a.text()).then((t) => process.stdout.write(t))`;
  const line = site
    .run('node-a', process.execPath, '-e', get)
    .split('\n')
    .find((text) => text.startsWith(`${name} `));
  assert.ok(line, name);
  return Number(line?.split(' ').at(-1));
}

faults.run();
