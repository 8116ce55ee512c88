import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../eventually.ts';
import {
  type KubernetesPart,
  startControllerManager,
  startFakeKubelet,
  startScheduler,
} from './kubernetes-controllers.ts';
import { type NodeName, TestCluster } from './test-cluster.ts';

/**
 * Prioritisation and preemption on the survivor: the leader dies, and its follower, which has room for one pod only, gives it
 * to the pod with the high priority. Scheduler and controllers are real; kwok plays the kubelets, so pods run.
 */

interface Context {
  cluster: TestCluster;
  /** Of the node which dies. */
  kubelet: KubernetesPart;
  /** Before the kube-apiserver of the survivor. */
  parts: KubernetesPart[];
}
const test = suite<Context>('preemption on the survivor');
const leader = 'node-a';
const survivor = 'node-b';
const limitMs = 60_000;

test.before(async (context) => {
  const cluster = await TestCluster.start();
  context.cluster = cluster;
  const kubeconfig = (name: NodeName) => cluster.node(name).kubeconfig ?? '';
  for (const name of [leader, survivor]) assert.match(await cluster.create(survivor, node(name)), 'created');
  context.kubelet = await startFakeKubelet(kubeconfig(leader), leader, cluster.dataDir);
  context.parts = [
    await startFakeKubelet(kubeconfig(survivor), survivor, cluster.dataDir),
    await startScheduler(kubeconfig(survivor), cluster.dataDir),
    await startControllerManager(kubeconfig(survivor), cluster.dataDir),
  ];
});
test.after(async ({ cluster, parts }) => {
  await Promise.all(parts.map((part) => part.stop()));
  await cluster.stop();
});

/** Asks until what kubectl prints on the survivor is as expected. @throws with the last answer and the logs when it never is */
async function shows({ cluster, parts }: Context, command: string, expected: RegExp): Promise<void> {
  await eventually(
    () => cluster.kubectl(survivor, command),
    (printed) => expected.test(printed),
    limitMs,
  ).catch((error: Error) => {
    const logs = parts.map((part) => part.log()).join('\n');
    throw new Error(`kubectl ${command}: expected ${expected}, ${error.message}\n${logs}`);
  });
}

const resources = { cpu: '2', memory: '4Gi', pods: '110' };
function node(name: string) {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { capacity: resources, allocatable: resources },
  };
}

/** A pod that fills a node. */
const podSpec = (priorityClassName: string) => ({
  priorityClassName,
  containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '2' } } }],
  terminationGracePeriodSeconds: 1,
});

function deployment(name: string, priorityClassName: string) {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(priorityClassName) };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas: 2, selector: { matchLabels: labels }, template },
  };
}

function pod(name: string, priorityClassName: string) {
  const metadata = { name, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(priorityClassName) };
}

/** Where the pods of an app are, and their phases. */
const placesOf = (app: string) =>
  `get pods -l app=${app} --sort-by=.spec.nodeName --no-headers -o custom-columns=:.spec.nodeName,:.status.phase`;

test('while both nodes live, the pods of a low deployment run on both and fill them', async (context) => {
  const { cluster } = context;
  await cluster.kubectl(survivor, 'create priorityclass low --value=10');
  await cluster.kubectl(survivor, 'create priorityclass high --value=1000000');
  assert.match(await cluster.create(survivor, deployment('batch', 'low')), 'created');
  await shows(context, placesOf('batch'), /^node-a +Running\nnode-b +Running$/);
});

test('the leader dies, and is NotReady', async (context) => {
  await context.kubelet.stop();
  await context.cluster.fault(`stop-api ${leader}`);
  for (const part of ['shim', 'prober', 'webhook', 'nats-server']) {
    await context.cluster.fault(`pause ${part} ${leader}`);
  }
  await shows(context, `get node ${survivor} --show-labels`, /twonode\.dev\/state=LeaderRX/);
  await shows(context, 'get nodes --no-headers', /^node-a +NotReady .*\nnode-b +Ready /);
  // The scheduler knows by the taint, which comes after the condition.
  await shows(context, `get node ${leader} -o jsonpath={.spec.taints[*].key}`, /unreachable/);
});

test('a low-priority deployment is refused with the sentence, and a low-priority pod too', async ({
  cluster,
}) => {
  assert.match(
    await cluster.create(survivor, deployment('more-batch', 'low')),
    /denied the request: LeaderRX: node-b is a restricted leader \(node-a .*\); CREATE deployments\.apps default\/more-batch is not on the approvedMutationList\. Reads work\. See: kubectl twonode status$/,
  );
  assert.match(
    await cluster.create(survivor, pod('chore', 'low')),
    'CREATE pods default/chore is not on the approvedMutationList',
  );
});

test('a high-priority pod is taken, gets the place of the low one, and runs', async (context) => {
  const { cluster } = context;
  assert.match(await cluster.create(survivor, pod('vital', 'high')), 'created');
  await shows(context, placesOf('vital'), /^node-b +Running$/);
  assert.not.match(await cluster.kubectl(survivor, placesOf('batch')), 'node-b');
});

test('kubectl shows both: the preemption, and that the low pod is not made again', async (context) => {
  const messagesOf = (reason: string) =>
    `get events --field-selector reason=${reason} -o custom-columns=:.message`;
  await shows(context, messagesOf('Preempted'), /Preempted by/);
  await shows(
    context,
    messagesOf('FailedCreate'),
    /twonode: LeaderRX: write to \/registry\/pods\/default\/batch-\S+ refused: not on the approvedMutationList/,
  );
});

test.run();
