import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connect } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Cluster } from '../../cli/cluster/cluster-file.ts';
import { EtcdClient } from '../etcd-client.ts';
import {
  newDataDir,
  newPortBase,
  removeDataDir,
  type StartedCluster,
  startCluster,
  stopCluster,
} from './start-cluster.ts';

/**
 * What a person does with the cluster of `npm start`, with the real kubectl: use it through either node, cut the link, be
 * refused, heal it, break a node, kill its processes. docs/first-steps.md shows the same steps.
 */

interface Context {
  dataDir: string;
  started: StartedCluster;
  cluster: Cluster;
}
const test = suite<Context>('a journey with kubectl');
const run = promisify(execFile);
const twonode = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const [a, b] = [0, 1];

test.before(async (context) => {
  context.dataDir = newDataDir();
  context.started = await startCluster(context.dataDir, newPortBase());
  context.cluster = context.started.read();
});
test.after(async ({ started, dataDir }) => {
  await stopCluster(started);
  removeDataDir(dataDir);
});

function kubectlArguments({ nodes }: Cluster, node: number, args: string[]): string[] {
  return ['--kubeconfig', nodes[node]?.kubeconfig ?? '', ...args];
}

/** Runs kubectl on a node; stdout, or what it printed when it failed. */
async function kubectl({ cluster }: Context, node: number, ...args: string[]): Promise<string> {
  const outcome = await run(cluster.kubectl ?? '', kubectlArguments(cluster, node, args), {
    timeout: 30_000,
  }).catch((error: { stderr?: string; message: string }) => ({ stdout: error.stderr || error.message }));
  return outcome.stdout.trim();
}

const fault = ({ dataDir }: Context, ...args: string[]) =>
  run(process.execPath, [twonode, 'fault', '--data-dir', dataDir, ...args]);

/** The states of both nodes, as `twonode status` tells them. */
async function states({ dataDir }: Context): Promise<string> {
  const outcome = await run(process.execPath, [twonode, 'status', '--data-dir', dataDir, '--json']).catch(
    (error: { stdout: string }) => error,
  );
  const { nodes } = JSON.parse(outcome.stdout) as { nodes: { state: string }[] };
  return nodes.map(({ state }) => state).join(' ');
}

/** Asks again until the answer is as expected; the last one is shown when it never is. */
async function eventually<T>(
  ask: () => Promise<T>,
  expected: (answer: T) => boolean,
  limitMs = 45_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (expected(answer)) return;
    if (Date.now() > deadline) assert.unreachable(`still ${JSON.stringify(answer)} after ${limitMs} ms`);
    await delay(100);
  }
}

const becomes = (context: Context, expected: string) =>
  eventually(
    () => states(context),
    (now) => now === expected,
  );

const manifest = ({ dataDir }: Context, name: string, object: object) => {
  const file = join(dataDir, `${name}.json`);
  writeFileSync(file, JSON.stringify(object));
  return file;
};

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

test('create, get, watch, patch, scale, delete through either node are seen on the other', async (context) => {
  const { cluster } = context;
  const watch = spawn(
    cluster.kubectl ?? '',
    kubectlArguments(cluster, b, ['get', 'deployments', '--watch', '--output-watch-events']),
  );
  let seen = '';
  watch.stdout.on('data', (chunk) => {
    seen += chunk;
  });
  assert.is(
    await kubectl(context, a, 'create', 'deployment', 'web', '--image=nginx'),
    'deployment.apps/web created',
  );
  assert.match(await kubectl(context, b, 'get', 'deployment', 'web', '-o', 'name'), 'deployment.apps/web');
  assert.match(await kubectl(context, b, 'scale', 'deployment', 'web', '--replicas=3'), 'scaled');
  assert.is(await kubectl(context, a, 'get', 'deployment', 'web', '-o', 'jsonpath={.spec.replicas}'), '3');
  assert.match(
    await kubectl(context, a, 'patch', 'deployment', 'web', '-p', '{"metadata":{"labels":{"tier":"edge"}}}'),
    'patched',
  );
  assert.match(
    await kubectl(context, b, 'get', 'deployments', '-l', 'tier=edge', '-o', 'name'),
    'deployment.apps/web',
  );
  assert.match(await kubectl(context, b, 'delete', 'deployment', 'web'), 'deleted');
  assert.match(await kubectl(context, a, 'get', 'deployment', 'web'), 'NotFound');
  await eventually(
    async () => seen,
    (text) => /ADDED[\s\S]*MODIFIED[\s\S]*DELETED/.test(text),
  );
  watch.kill();
});

test('objects of a CRD too', async (context) => {
  assert.match(await kubectl(context, b, 'create', '-f', manifest(context, 'crd', crd)), 'created');
  await kubectl(
    context,
    a,
    'wait',
    '--for=condition=established',
    'crd/sensors.edge.example',
    '--timeout=20s',
  );
  const sensor = {
    apiVersion: 'edge.example/v1',
    kind: 'Sensor',
    metadata: { name: 's1' },
    spec: { unit: 'K' },
  };
  const file = manifest(context, 'sensor', sensor);
  await eventually(
    () => kubectl(context, a, 'apply', '-f', file),
    (text) => text.includes('sensor.edge.example/s1'),
  );
  await eventually(
    () => kubectl(context, b, 'get', 'sensors', 's1', '-o', 'jsonpath={.spec.unit}'),
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

test('the link is cut: the follower refuses with one sentence, in one call, and lets pass what a node needs', async (context) => {
  assert.match(
    await kubectl(context, a, 'create', '-f', manifest(context, 'both', node('changed-on-both'))),
    'created',
  );
  assert.match(await kubectl(context, b, 'get', 'node', 'changed-on-both'), 'changed-on-both');
  await fault(context, 'cut-link');
  await becomes(context, 'Leader LeaderRX');
  const deployment = ['create', 'deployment', 'refused', '--image=nginx'];
  assert.match(
    await kubectl(context, b, ...deployment),
    /^error: failed to create deployment: admission webhook "[^"]+" denied the request: LeaderRX: node-b is a restricted leader \(node-a unreachable since \d\d:\d\d:\d\dZ, \d+s\); CREATE deployments\.apps default\/refused is not on the approvedMutationList\. Reads work\. See: kubectl twonode status$/,
  );
  const file = manifest(context, 'deployment', {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'refused', namespace: 'default' },
  });
  assert.match(
    await kubectl(context, b, 'create', '-f', file),
    /^Error from server \(Forbidden\): error when creating "[^"]+": admission webhook "[^"]+" denied the request: LeaderRX: /,
  );
  assert.match(
    await kubectl(context, a, 'create', 'configmap', 'on-the-leader', '--from-literal=k=v'),
    'created',
  );

  await fault(context, 'pause', 'webhook', 'node-b');
  assert.match(
    await kubectl(context, b, ...deployment),
    /rpc error: code = PermissionDenied desc = twonode: LeaderRX: write to \/registry\/deployments\/default\/refused refused: not on the approvedMutationList; node-a unreachable \d+s$/,
  );
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'node-b', namespace: 'kube-node-lease' },
  };
  assert.match(await kubectl(context, b, 'create', '-f', manifest(context, 'lease', lease)), 'created');
  const renewal = '{"spec":{"renewTime":"2030-01-01T00:00:00.000000Z"}}';
  assert.match(
    await kubectl(context, b, '-n', 'kube-node-lease', 'patch', 'lease', 'node-b', '-p', renewal),
    'patched',
  );
  assert.match(
    await kubectl(context, b, 'create', '-f', manifest(context, 'alone', node('written-alone'))),
    'created',
  );
  assert.match(await kubectl(context, b, 'label', 'node', 'changed-on-both', 'by=follower'), 'labeled');
  assert.match(await kubectl(context, a, 'label', 'node', 'changed-on-both', 'by=leader'), 'labeled');
});

test('the link is healed: both are back, what was written alone is there, and what both changed is recorded', async (context) => {
  await fault(context, 'heal');
  await becomes(context, 'Leader Follower');
  for (const each of [a, b]) {
    await eventually(
      () => kubectl(context, each, 'get', 'node', 'written-alone', '-o', 'name'),
      (text) => text === 'node/written-alone',
    );
    assert.is(
      await kubectl(context, each, 'get', 'node', 'changed-on-both', '-o', 'jsonpath={.metadata.labels.by}'),
      'leader',
    );
    assert.match(
      await kubectl(context, each, 'get', 'configmap', 'on-the-leader', '-o', 'name'),
      'on-the-leader',
    );
    const metrics = await (await fetch(context.cluster.nodes[each]?.metrics.shim ?? '')).text();
    assert.match(metrics, /^twonode_conflicts 1$/m);
  }
  assert.match(
    await kubectl(context, b, 'create', 'configmap', 'after-heal', '--from-literal=k=v'),
    'created',
  );
  assert.match(await kubectl(context, a, 'get', 'configmap', 'after-heal', '-o', 'name'), 'after-heal');
});

test('a node whose CNI is gone is Impaired and says so, the other goes on', async (context) => {
  await fault(context, 'remove-cni', 'node-b');
  await becomes(context, 'Leader Impaired');
  assert.match(
    await kubectl(context, b, 'create', 'configmap', 'refused', '--from-literal=k=v'),
    /denied the request: Impaired: node-b is read-only \(CNI: .* does not exist since \d\d:\d\d:\d\dZ, \d+s\); CREATE configmaps default\/refused refused\. Use node-a\.$/,
  );
  assert.match(
    await kubectl(context, a, 'create', 'configmap', 'through-the-other', '--from-literal=k=v'),
    'created',
  );
  await fault(context, 'heal');
  await becomes(context, 'Leader Follower');
});

test('a killed process comes back, and nothing is lost', async (context) => {
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
    assert.match(await kubectl(context, a, 'create', 'configmap', key, '--from-literal=k=v'), 'created');
    await fault(context, 'kill', part, name);
    for (const each of [a, b]) {
      await eventually(
        () => kubectl(context, each, 'get', 'configmap', key, '-o', 'name'),
        (text) => text === `configmap/${key}`,
      );
    }
    await becomes(context, 'Leader Follower');
    const after = ['create', 'configmap', `after-${part}-${name}`, '--from-literal=k=v'];
    await eventually(
      () => kubectl(context, b, ...after),
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
