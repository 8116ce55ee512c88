import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Cluster } from '../../cli/cluster/cluster-file.ts';
import { requestFault } from '../../cli/cluster/control-client.ts';
import { type KubernetesControllers, startControllers } from './kubernetes-controllers.ts';
import {
  newDataDir,
  newPortBase,
  removeDataDir,
  type StartedCluster,
  startCluster,
  stopCluster,
} from './start-cluster.ts';

/**
 * Prioritisation and preemption on the survivor: the leader dies, and its follower, which has room for one pod only, gives it
 * to the pod with the high priority. The Node is made by hand; scheduler and controllers are real.
 */

interface Context {
  dataDir: string;
  started: StartedCluster;
  cluster: Cluster;
  controllers: KubernetesControllers;
}
const test = suite<Context>('preemption on the survivor');
const survivor = 'node-b';
const limitMs = 60_000;

test.before(async (context) => {
  context.dataDir = newDataDir();
  context.started = await startCluster(context.dataDir, newPortBase());
  context.cluster = context.started.read();
  const kubeconfig = context.cluster.nodes.find(({ name }) => name === survivor)?.kubeconfig ?? '';
  context.controllers = await startControllers(kubeconfig, context.dataDir);
});
test.after(async ({ started, dataDir, controllers }) => {
  await controllers.stop();
  await stopCluster(started);
  removeDataDir(dataDir);
});

/** Runs kubectl on the survivor; what it printed, also when it failed. */
function kubectl({ cluster }: Context, args: string, input = ''): Promise<string> {
  const kubeconfig = cluster.nodes.find(({ name }) => name === survivor)?.kubeconfig ?? '';
  return new Promise((resolve) => {
    const child = execFile(
      cluster.kubectl ?? '',
      ['--kubeconfig', kubeconfig, ...args.split(' ')],
      { timeout: 30_000 },
      (_error, stdout, stderr) => resolve((stderr + stdout).trim()),
    );
    child.stdin?.end(input);
  });
}

/** Asks until what kubectl prints is as expected. @throws with the last answer when it never is */
async function eventually(context: Context, args: string, expected: RegExp): Promise<string> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const printed = await kubectl(context, args);
    if (expected.test(printed)) return printed;
    if (Date.now() > deadline) {
      const log = context.controllers.log().split('\n').slice(-20).join('\n');
      throw new Error(`kubectl ${args}: expected ${expected}, not\n${printed}\n${log}`);
    }
    await delay(200);
  }
}

const resources = { cpu: '2', memory: '4Gi', pods: '110' };
const node = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: survivor },
  status: {
    capacity: resources,
    allocatable: resources,
    conditions: [{ type: 'Ready', status: 'True', reason: 'Test', message: 'made by hand' }],
  },
});

/** A pod that fills the node. There is no kubelet which would end it, so it ends at once. */
const podSpec = (priorityClassName: string) => ({
  priorityClassName,
  containers: [{ name: 'c', image: 'x', resources: { requests: { cpu: '2' } } }],
  terminationGracePeriodSeconds: 0,
});

function deployment(name: string, priorityClassName: string): string {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: podSpec(priorityClassName) };
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  });
}

function pod(name: string, priorityClassName: string): string {
  const metadata = { name, labels: { app: name } };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(priorityClassName) });
}

const placeOf = (app: string) => `get pods -l app=${app} -o jsonpath={.items[*].spec.nodeName}`;

test('while both nodes live, the low deployment has the node', async (context) => {
  await kubectl(context, 'create priorityclass low --value=10');
  await kubectl(context, 'create priorityclass high --value=1000000');
  assert.match(await kubectl(context, 'create -f -', node), 'created');
  await kubectl(context, `taint node ${survivor} node.kubernetes.io/not-ready-`);
  assert.match(await kubectl(context, 'create -f -', deployment('batch', 'low')), 'created');
  await eventually(context, placeOf('batch'), /^node-b$/);
});

test('the leader dies', async (context) => {
  const { control } = context.cluster;
  await requestFault(control, { fault: 'stop-api', node: 'node-a' });
  for (const part of ['shim', 'prober', 'webhook', 'nats-server'] as const) {
    await requestFault(control, { fault: 'pause', part, node: 'node-a' });
  }
  await eventually(context, `get node ${survivor} --show-labels`, /twonode\.dev\/state=LeaderRX/);
});

test('a low-priority deployment is refused with the sentence, and a low-priority pod too', async (context) => {
  assert.match(
    await kubectl(context, 'create -f -', deployment('more-batch', 'low')),
    /denied the request: LeaderRX: node-b is a restricted leader \(node-a .*\); CREATE deployments\.apps default\/more-batch is not on the approvedMutationList\. Reads work\. See: kubectl twonode status$/,
  );
  assert.match(
    await kubectl(context, 'create -f -', pod('chore', 'low')),
    'CREATE pods default/chore is not on the approvedMutationList',
  );
});

test('a high-priority pod is taken, and gets the place of the low one', async (context) => {
  assert.match(await kubectl(context, 'create -f -', pod('vital', 'high')), 'created');
  await eventually(context, placeOf('vital'), /^node-b$/);
  assert.is(await kubectl(context, placeOf('batch')), '');
});

test('kubectl shows both: the preemption, and that the low pod is not made again', async (context) => {
  await eventually(
    context,
    'get events --field-selector reason=Preempted -o custom-columns=:.message',
    /Preempted by/,
  );
  await eventually(
    context,
    'get events --field-selector reason=FailedCreate -o custom-columns=:.message',
    /twonode: LeaderRX: write to \/registry\/pods\/default\/batch-\S+ refused: not on the approvedMutationList/,
  );
});

test.run();
