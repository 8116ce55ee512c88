import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../eventually.ts';
import { type KubernetesPart, startScheduler } from './kubernetes-controllers.ts';
import { type NodeName, TestCluster } from './test-cluster.ts';

/**
 * Leader election beside a failure of the leader that leaves its datastore whole: a real kube-scheduler before the kube-apiserver of each
 * node, both for one lease in one log.
 */
interface Context {
  cluster: TestCluster;
  schedulers: Record<NodeName, KubernetesPart>;
}
const test = suite<Context>('leader election');

async function schedulerOf(cluster: TestCluster, name: NodeName): Promise<KubernetesPart> {
  const folder = join(cluster.dataDir, `scheduler-${name}`);
  mkdirSync(folder, { recursive: true });
  return startScheduler(cluster.node(name).kubeconfig ?? '', folder, { leaderElect: true });
}

const lease = 'lease kube-scheduler -n kube-system';
const holder = (cluster: TestCluster, through: NodeName) =>
  cluster.kubectl(through, `get ${lease} -o jsonpath={.spec.holderIdentity}`);

test.before(async (context) => {
  const cluster = await TestCluster.start();
  Object.assign(context, { cluster });
  const first = await schedulerOf(cluster, 'node-a');
  await eventually(
    () => holder(cluster, 'node-a'),
    (name) => name !== '' && !name.includes('NotFound'),
  );
  context.schedulers = { 'node-a': first, 'node-b': await schedulerOf(cluster, 'node-b') };
});
test.after(async ({ cluster, schedulers }) => {
  await Promise.all(Object.values(schedulers).map((each) => each.stop()));
  await cluster.stop();
});

test('of an Impaired leader it moves to the LeaderRX, and stays there when all is well again', async ({
  cluster,
  schedulers,
}) => {
  const before = await holder(cluster, 'node-a');
  await cluster.fault('remove-cni node-a');
  await cluster.becomes('Impaired LeaderRX');
  // It exits once it could not renew its lease for 10 s; in k3s that is the whole process, which systemd starts again.
  await eventually(
    async () => schedulers['node-a'].runs(),
    (runs) => !runs,
  );
  const after = await eventually(
    () => holder(cluster, 'node-b'),
    (name) => name !== before && name !== '',
  );
  assert.match(
    await cluster.kubectl('node-a', `annotate ${lease} a=b`),
    /denied the request: Impaired: node-a is read-only .*; UPDATE leases\.coordination\.k8s\.io kube-system\/kube-scheduler refused\. Use node-b\./,
  );
  // Started again it waits for its turn, and does not exit.
  schedulers['node-a'] = await schedulerOf(cluster, 'node-a');
  await cluster.fault('heal');
  await cluster.becomes('Leader Follower');
  assert.is(await holder(cluster, 'node-a'), after);
  assert.ok(schedulers['node-a'].runs(), schedulers['node-a'].log());
  assert.ok(schedulers['node-b'].runs(), schedulers['node-b'].log());
});

test.run();
