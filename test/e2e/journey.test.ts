import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { connect } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EtcdClient } from '../etcd-client.ts';
import { eventually } from '../eventually.ts';
import { TestCluster } from './test-cluster.ts';

/**
 * What a person does with the cluster of `npm start`, with the real kubectl: use it through either node, cut the link, be
 * refused, heal it, break a node, kill its processes. docs/first-steps.md shows the same steps.
 */

const test = suite<{ cluster: TestCluster }>('a journey with kubectl');
const [a, b] = ['node-a', 'node-b'] as const;

test.before(async (context) => {
  context.cluster = await TestCluster.start();
});
test.after(({ cluster }) => cluster.stop());

const crd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'sensors.edge.example' },
  spec: {
    group: 'edge.example',
    scope: 'Namespaced',
    names: { plural: 'sensors', singular: 'sensor', kind: 'Sensor' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        },
      },
    ],
  },
};
const node = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } });

test('create, get, watch, patch, scale, delete through either node are seen on the other', async ({
  cluster,
}) => {
  const { program, args } = cluster.kubectlCommand(b, 'get deployments --watch --output-watch-events');
  const watch = spawn(program, args);
  let seen = '';
  watch.stdout.on('data', (chunk) => {
    seen += chunk;
  });
  assert.is(await cluster.kubectl(a, 'create deployment web --image=nginx'), 'deployment.apps/web created');
  assert.match(await cluster.kubectl(b, 'get deployment web -o name'), 'deployment.apps/web');
  assert.match(await cluster.kubectl(b, 'scale deployment web --replicas=3'), 'scaled');
  assert.is(await cluster.kubectl(a, 'get deployment web -o jsonpath={.spec.replicas}'), '3');
  assert.match(
    await cluster.kubectl(a, 'patch deployment web -p {"metadata":{"labels":{"tier":"edge"}}}'),
    'patched',
  );
  assert.match(await cluster.kubectl(b, 'get deployments -l tier=edge -o name'), 'deployment.apps/web');
  assert.match(await cluster.kubectl(b, 'delete deployment web'), 'deleted');
  assert.match(await cluster.kubectl(a, 'get deployment web'), 'NotFound');
  await eventually(
    async () => seen,
    (text) => /ADDED[\s\S]*MODIFIED[\s\S]*DELETED/.test(text),
  );
  watch.kill();
});

test('objects of a CRD too', async ({ cluster }) => {
  assert.match(await cluster.create(b, crd), 'created');
  await cluster.kubectl(a, 'wait --for=condition=established crd/sensors.edge.example --timeout=20s');
  const sensor = {
    apiVersion: 'edge.example/v1',
    kind: 'Sensor',
    metadata: { name: 's1' },
    spec: { unit: 'K' },
  };
  await eventually(
    () => cluster.kubectl(a, 'apply -f -', JSON.stringify(sensor)),
    (text) => text.includes('sensor.edge.example/s1'),
  );
  await eventually(
    () => cluster.kubectl(b, 'get sensors s1 -o jsonpath={.spec.unit}'),
    (text) => text === 'K',
  );
});

test('an observer without a password sees the signals of both nodes, from either, and may publish nothing', async ({
  cluster,
}) => {
  for (const { nats } of cluster.nodes) {
    const observer = await connect({ servers: nats });
    const missing = new Set(['node-a', 'node-b']);
    for await (const message of observer.subscribe('twonode.health.>')) {
      missing.delete(message.subject.split('.')[2] ?? '');
      if (missing.size === 0) break;
    }
    const refused = (async () => {
      for await (const status of observer.status())
        if (String(status.data).includes('PERMISSIONS')) return true;
      return false;
    })();
    observer.publish('twonode.health.node-a.local.nic', 'forged');
    assert.ok(await refused);
    await observer.close();
  }
});

test('the link is cut: the follower refuses with one sentence, in one call, and lets pass what a node needs', async ({
  cluster,
}) => {
  assert.match(await cluster.create(a, node('changed-on-both')), 'created');
  assert.match(await cluster.kubectl(b, 'get node changed-on-both'), 'changed-on-both');
  await cluster.fault('cut-link');
  await cluster.becomes('Leader LeaderRX');
  const deployment = 'create deployment refused --image=nginx';
  assert.match(
    await cluster.kubectl(b, deployment),
    /^error: failed to create deployment: admission webhook "[^"]+" denied the request: LeaderRX: node-b is a restricted leader \(node-a unreachable since \d\d:\d\d:\d\dZ, \d+s\); CREATE deployments\.apps default\/refused is not on the approvedMutationList\. Reads work\. See: kubectl twonode status$/,
  );
  assert.match(
    await cluster.create(b, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'refused' } }),
    /^Error from server \(Forbidden\): error when creating "[^"]+": admission webhook "[^"]+" denied the request: LeaderRX: /,
  );
  assert.match(await cluster.kubectl(a, 'create configmap on-the-leader --from-literal=k=v'), 'created');

  await cluster.fault('pause webhook node-b');
  assert.match(
    await cluster.kubectl(b, deployment),
    /rpc error: code = PermissionDenied desc = twonode: LeaderRX: write to \/registry\/deployments\/default\/refused refused: not on the approvedMutationList; node-a unreachable \d+s$/,
  );
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'node-b', namespace: 'kube-node-lease' },
  };
  assert.match(await cluster.create(b, lease), 'created');
  const renewal = '{"spec":{"renewTime":"2030-01-01T00:00:00.000000Z"}}';
  assert.match(await cluster.kubectl(b, `-n kube-node-lease patch lease node-b -p ${renewal}`), 'patched');
  assert.match(await cluster.create(b, node('written-alone')), 'created');
  assert.match(await cluster.kubectl(b, 'label node changed-on-both by=follower'), 'labeled');
  assert.match(await cluster.kubectl(a, 'label node changed-on-both by=leader'), 'labeled');
});

test('the link is healed: both are back, what was written alone is there, and what both changed is recorded', async ({
  cluster,
}) => {
  await cluster.fault('heal');
  await cluster.becomes('Leader Follower');
  for (const each of [a, b]) {
    await eventually(
      () => cluster.kubectl(each, 'get node written-alone -o name'),
      (text) => text === 'node/written-alone',
    );
    assert.is(
      await cluster.kubectl(each, 'get node changed-on-both -o jsonpath={.metadata.labels.by}'),
      'leader',
    );
    assert.match(await cluster.kubectl(each, 'get configmap on-the-leader -o name'), 'on-the-leader');
    const metrics = await (await fetch(cluster.node(each).metrics.shim)).text();
    assert.match(metrics, /^twonode_conflicts 1$/m);
  }
  assert.match(await cluster.kubectl(b, 'create configmap after-heal --from-literal=k=v'), 'created');
  assert.match(await cluster.kubectl(a, 'get configmap after-heal -o name'), 'after-heal');
});

test('a node whose CNI is gone is Impaired and says so, the other goes on', async ({ cluster }) => {
  await cluster.fault('remove-cni node-b');
  await cluster.becomes('Leader Impaired');
  assert.match(
    await cluster.kubectl(b, 'create configmap refused --from-literal=k=v'),
    /denied the request: Impaired: node-b is read-only \(CNI: .* does not exist since \d\d:\d\d:\d\dZ, \d+s\); CREATE configmaps default\/refused refused\. Use node-a\.$/,
  );
  assert.match(await cluster.kubectl(a, 'create configmap through-the-other --from-literal=k=v'), 'created');
  await cluster.fault('heal');
  await cluster.becomes('Leader Follower');
});

test('a killed process comes back, and nothing is lost', async ({ cluster }) => {
  const victims = [
    ['shim', 'node-a'],
    ['nats-server', 'node-a'],
    ['shim', 'node-b'],
    ['nats-server', 'node-b'],
    ['prober', 'node-a'],
    ['webhook', 'node-b'],
  ];
  for (const [part = '', name = ''] of victims) {
    const key = `before-${part}-${name}`;
    assert.match(await cluster.kubectl(a, `create configmap ${key} --from-literal=k=v`), 'created');
    await cluster.fault(`kill ${part} ${name}`);
    for (const each of [a, b]) {
      await eventually(
        () => cluster.kubectl(each, `get configmap ${key} -o name`),
        (text) => text === `configmap/${key}`,
      );
    }
    await cluster.becomes('Leader Follower');
    const after = `create configmap after-${part}-${name} --from-literal=k=v`;
    await eventually(
      () => cluster.kubectl(b, after),
      (text) => /created|AlreadyExists/.test(text),
    );
  }
});

test('both nodes hold the same at the end', async ({ cluster }) => {
  const clients = cluster.nodes.map(({ etcd }) => new EtcdClient(new URL(etcd).host));
  const all = { key: '/registry/', rangeEnd: '/registry0' };
  const heads = await Promise.all(clients.map((client) => client.range({ ...all, countOnly: true })));
  // Leases are renewed all the time: both are asked for one and the same revision.
  const revision = Math.min(...heads.map(({ header }) => header?.revision ?? 0));
  const contents = await Promise.all(
    clients.map(async (client) => {
      const { kvs } = await client.range({ ...all, revision });
      const digest = (value: Buffer) => createHash('sha256').update(value).digest('hex').slice(0, 16);
      return kvs.map((kv) => `${kv.key} ${kv.modRevision} ${kv.version} ${digest(kv.value)}`);
    }),
  );
  for (const client of clients) client.close();
  const [ofA = [], ofB = []] = contents;
  assert.ok(ofA.length > 100);
  assert.equal(
    ofA.filter((line) => !ofB.includes(line)),
    ofB.filter((line) => !ofA.includes(line)),
  );
});

test.run();
