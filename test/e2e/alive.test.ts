import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../eventually.ts';
import {
  type KubernetesPart,
  startControllerManager,
  startFakeKubelet,
  startScheduler,
} from './kubernetes-controllers.ts';
import { TestCluster } from './test-cluster.ts';

/**
 * What a node needs to stay alive is never refused: a real kube-apiserver, kube-controller-manager (all controllers) and
 * kube-scheduler, which exit when they cannot renew their leases, and kwok as the kubelet, on a restricted follower. The shim
 * counts what it refuses. ALIVE_MINUTES=10 holds each state for so long.
 */

interface Context {
  cluster: TestCluster;
  parts: KubernetesPart[];
}
const test = suite<Context>('a restricted node stays alive');
const survivor = 'node-b';
const limitMs = 60_000;
/** Leases of 15 s are given up after 10 s without a renewal; a node is NotReady after 8 s. */
const holdMs = process.env.ALIVE_MINUTES ? Number(process.env.ALIVE_MINUTES) * 60_000 : 20_000;

async function startParts(cluster: TestCluster): Promise<KubernetesPart[]> {
  const kubeconfig = cluster.node(survivor).kubeconfig ?? '';
  const { dataDir } = cluster;
  return [
    await startFakeKubelet(kubeconfig, survivor, dataDir),
    await startControllerManager(kubeconfig, dataDir, { controllers: '*', leaderElect: true }),
    await startScheduler(kubeconfig, dataDir, { leaderElect: true }),
  ];
}

test.before(async (context) => {
  const cluster = await TestCluster.start();
  Object.assign(context, { cluster, parts: [] });
  const resources = { cpu: '8', memory: '8Gi', pods: '110' };
  const status = { capacity: resources, allocatable: resources };
  await cluster.create(survivor, { apiVersion: 'v1', kind: 'Node', metadata: { name: survivor }, status });
  context.parts = await startParts(cluster);
  await cluster.kubectl(survivor, 'create priorityclass vital --value=1000000');
  const labels = { app: 'web' };
  const spec = {
    priorityClassName: 'vital',
    containers: [{ name: 'c', image: 'x' }],
    terminationGracePeriodSeconds: 1,
  };
  const printed = await cluster.create(survivor, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
  assert.match(printed, 'created');
  await runs(cluster, 2);
});
test.after(async ({ cluster, parts }) => {
  await Promise.all(parts.map((part) => part.stop()));
  await cluster.stop();
});

const phases = 'get pods -l app=web --no-headers -o custom-columns=:.status.phase';
async function runs(cluster: TestCluster, pods: number): Promise<void> {
  await eventually(
    () => cluster.kubectl(survivor, phases),
    (printed) => printed === Array.from({ length: pods }, () => 'Running').join('\n'),
    limitMs,
  );
}

/** Holder and age of the leases by which the control plane lives. */
async function leases(cluster: TestCluster): Promise<{ name: string; holder: string; renewedMs: number }[]> {
  const wanted = ['kube-controller-manager', 'kube-scheduler', survivor];
  const printed = await cluster.kubectl(
    survivor,
    'get leases -A --no-headers -o custom-columns=:.metadata.name,:.spec.holderIdentity,:.spec.renewTime',
  );
  return printed.split('\n').flatMap((line) => {
    const [name = '', holder = '', renewed = ''] = line.trim().split(/\s+/);
    return wanted.includes(name) ? [{ name, holder, renewedMs: Date.parse(renewed) }] : [];
  });
}

/** Holds the state, and then looks whether all went on. */
async function staysAlive({ cluster, parts }: Context): Promise<void> {
  const before = await leases(cluster);
  assert.is(before.length, 3);
  await delay(holdMs);
  for (const part of parts) assert.ok(part.runs(), part.log());
  const after = await leases(cluster);
  for (const [index, lease] of after.entries()) {
    assert.is(lease.holder, before[index]?.holder, lease.name);
    assert.ok(lease.renewedMs > (before[index]?.renewedMs ?? Number.NaN), lease.name);
  }
  assert.match(await cluster.kubectl(survivor, `get node ${survivor} --no-headers`), /^node-b +Ready /);
}

/** What the shim refused so far, by state and resource. */
async function refused(cluster: TestCluster): Promise<string[]> {
  const text = await (await fetch(cluster.node(survivor).metrics.shim)).text();
  return text.split('\n').filter((line) => line.startsWith('twonode_writes_refused_total{'));
}

test('LeaderRX: leases are renewed, a pod that is deleted comes back, and nothing is refused', async (context) => {
  const { cluster } = context;
  await cluster.fault('cut-link');
  await cluster.becomes('Leader LeaderRX');
  const [pod = ''] = (await cluster.kubectl(survivor, 'get pods -l app=web -o name')).split('\n');
  assert.match(await cluster.kubectl(survivor, `delete ${pod} --wait=false`), 'deleted');
  await eventually(
    () => cluster.kubectl(survivor, 'get pods -l app=web -o name'),
    (names) => !names.includes(pod),
    limitMs,
  );
  await runs(cluster, 2);
  await staysAlive(context);
  assert.equal(await refused(cluster), []);
});

test('Impaired: leases are renewed, and nothing exits', async (context) => {
  const { cluster } = context;
  await cluster.fault('heal');
  await cluster.becomes('Leader Follower');
  await cluster.fault(`remove-cni ${survivor}`);
  await cluster.becomes('Leader Impaired');
  await staysAlive(context);
});

test('LeaderRX: the whole control plane can start again', async (context) => {
  const { cluster } = context;
  await cluster.fault('heal');
  await cluster.becomes('Leader Follower');
  await cluster.fault('cut-link');
  await cluster.becomes('Leader LeaderRX');
  await Promise.all(context.parts.map((part) => part.stop()));
  const pid = cluster.node(survivor).pids['kube-apiserver'];
  await cluster.fault(`kill kube-apiserver ${survivor}`);
  await eventually(
    async () => cluster.node(survivor).pids['kube-apiserver'],
    (now) => now !== undefined && now !== pid,
    limitMs,
  );
  await eventually(
    () => cluster.kubectl(survivor, 'get --raw /readyz'),
    (printed) => printed === 'ok',
    limitMs,
  );
  await cluster.becomes('Leader LeaderRX');
  const before = await leases(cluster);
  context.parts = await startParts(cluster);
  await eventually(
    () => leases(cluster),
    (now) => now.every(({ name, holder }, i) => name === survivor || holder !== before[i]?.holder),
    limitMs,
  );
  await staysAlive(context);
  await runs(cluster, 2);
  // While its API was gone the node was Impaired.
  const whileAlone = (await refused(cluster)).filter((line) => line.includes('state="LeaderRX"'));
  assert.equal(whileAlone, []);
});

test.run();
