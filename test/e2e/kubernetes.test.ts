import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../eventually.ts';
import { type KubernetesPart, startControllerManager } from './kubernetes-controllers.ts';
import { type NodeName, TestCluster } from './test-cluster.ts';

/**
 * A few hundred objects made, scaled and deleted by real kube-apiservers and a real kube-controller-manager on both nodes,
 * with no error in the logs of either kube-apiserver and of the controller-manager. `KUBERNETES_MINUTES=6` goes on for so long: kube-apiserver compares its
 * cache with a list at an exact old revision every five minutes, and must have found them equal by then.
 */
interface Context {
  cluster: TestCluster;
  /** Undefined while the cluster starts. */
  controllers?: KubernetesPart;
}
const test = suite<Context>('Kubernetes on two nodes');
const nodes = ['node-a', 'node-b'] as const;
const minutes = Number(process.env.KUBERNETES_MINUTES ?? 0);
const limitMs = 90_000;
const counts = { configmaps: 100, secrets: 100, deployments: 10, replicas: 4, scaledTo: 8 };

test.before(async (context) => {
  context.cluster = await TestCluster.start();
  const { cluster } = context;
  const admin = cluster.node('node-a').kubeconfig ?? '';
  context.controllers = await startControllerManager(admin, cluster.dataDir);
});
test.after(async ({ cluster, controllers }) => {
  await controllers?.stop();
  // uvu hides why it did not start behind what is thrown here.
  await cluster?.stop();
});

const list = (count: number, item: (name: string) => object) => ({
  apiVersion: 'v1',
  kind: 'List',
  items: Array.from({ length: count }, (_, i) => item(`o${i}`)),
});
const labels = { made: 'by-test' };
const text = { a: 'x'.repeat(500) };
const configMap = (name: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, labels },
  data: text,
});
const secret = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, labels },
  stringData: text,
});
const deployment = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels },
  spec: {
    replicas: counts.replicas,
    selector: { matchLabels: { ...labels, app: name } },
    template: {
      metadata: { labels: { ...labels, app: name } },
      spec: { containers: [{ name: 'c', image: 'x' }] },
    },
  },
});

/** Waits until both nodes list so many objects of a kind. */
async function count({ cluster }: Context, kind: string, expected: number): Promise<void> {
  for (const node of nodes) {
    await eventually(
      async () => (await cluster.kubectl(node, `get ${kind} -l made=by-test -o name`)).split('\n'),
      (names) => names.filter((name) => name.includes('/')).length === expected,
      limitMs,
    );
  }
}

async function round(context: Context): Promise<void> {
  const { cluster } = context;
  const create = async (node: NodeName, objects: ReturnType<typeof list>) => {
    const printed = (await cluster.create(node, objects)).split('\n');
    assert.equal(
      printed.filter((line) => !line.endsWith(' created')),
      [],
    );
  };
  await Promise.all([
    create('node-a', list(counts.configmaps, configMap)),
    create('node-b', list(counts.secrets, secret)),
    create('node-a', list(counts.deployments, deployment)),
  ]);
  await count(context, 'configmaps', counts.configmaps);
  await count(context, 'secrets', counts.secrets);
  await count(context, 'pods', counts.deployments * counts.replicas);
  await cluster.kubectl('node-b', `scale deployment --replicas=${counts.scaledTo} -l made=by-test`);
  await count(context, 'pods', counts.deployments * counts.scaledTo);
  await cluster.kubectl('node-a', 'scale deployment --replicas=0 -l made=by-test');
  // Nobody plays the kubelet: a pod that was never bound goes at once.
  await count(context, 'pods', 0);
  await Promise.all([
    cluster.kubectl('node-a', 'delete configmaps -l made=by-test'),
    cluster.kubectl('node-b', 'delete secrets,deployments -l made=by-test'),
  ]);
  // There is no garbage collector among the controllers.
  await cluster.kubectl('node-a', 'delete replicasets -l made=by-test');
  for (const kind of ['configmaps', 'secrets', 'deployments', 'replicasets']) await count(context, kind, 0);
}

/**
 * Errors that say nothing of the datastore. Two such kube-apiservers and this controller-manager on one etcd 3.6 write them too, in the same
 * test; all but the two "already …" were seen there.
 */
const excused = [
  // There is no file of feature gates.
  /The manifest file is empty, ignoring/,
  // A kube-apiserver's start: the endpoints of its own service are not reconciled here, and the first namespaces are yet to be made.
  /Found stale data, removed previous endpoints on kubernetes service/,
  /namespaces \\"(kube-system|default)\\" not found/,
  // Both make the Service "kubernetes" at their start; the address is taken before the name is.
  /unable to sync kubernetes service: .* provided IP is already allocated/,
  // Both kube-apiservers are named after this one machine, and so make and renew one and the same lease, in turn.
  /"Failed to ensure lease exists, will retry" err="leases\S* \\"apiserver-\w+\\" already exists"/,
  /"Failed to update lease" err="Operation cannot be fulfilled on leases\S* \\"apiserver-/,
  // The controller is faster than its own watch, sees that, and tries again.
  /read version: \d+ is not as new as written version: \d+ for group resource/,
];

const logFiles = [...nodes.map((node) => `${node}/kube-apiserver.log`), 'kube-controller-manager.log'];

/** What klog wrote as an error, or as the reason of its end. */
function errorsOf({ cluster }: Context, logFile: string): string[] {
  const log = readFileSync(join(cluster.dataDir, logFile), 'utf8');
  return log
    .split('\n')
    .filter((line) => /^[EF]\d{4} /.test(line) && !excused.some((pattern) => pattern.test(line)));
}

async function consistencyChecks({ cluster }: Context, node: (typeof nodes)[number], status: string) {
  const metrics = await cluster.kubectl(node, 'get --raw /metrics');
  const samples = metrics
    .split('\n')
    .filter((line) => line.startsWith('apiserver_storage_consistency_checks_total{'))
    .filter((line) => line.includes(`status="${status}"`));
  return samples.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

test('objects are made, scaled and deleted through both nodes without an error', async (context) => {
  // Each start has noise of its own: what two kube-apiservers do at once, or before the first namespaces are there.
  const before = new Map(logFiles.map((file) => [file, errorsOf(context, file).length]));
  const endMs = Date.now() + minutes * 60_000;
  do {
    await round(context);
    if (minutes > 0) await delay(1_000);
  } while (Date.now() < endMs);
  for (const node of nodes) {
    assert.is(await consistencyChecks(context, node, 'failure'), 0);
    if (minutes >= 6) assert.ok((await consistencyChecks(context, node, 'success')) > 0);
  }
  for (const file of logFiles) assert.equal(errorsOf(context, file).slice(before.get(file)), [], file);
});

test.run();
