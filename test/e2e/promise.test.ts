import { readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { builtInNames, findResource } from '../../cli/why/resource-names.ts';
import { datastoreGroup, parseKey, registryKey } from '../../shared/mutation/registry-key.ts';
import { EtcdClient } from '../etcd-client.ts';
import { eventually } from '../eventually.ts';
import { everyKind } from './every-kind.ts';
import { everyWrite, type Outcome } from './every-write.ts';
import { qualifiedName, type ServedResource, servedResources } from './served-resources.ts';
import { TestCluster } from './test-cluster.ts';

/**
 * While the webhook runs no person is refused by the shim's sentence alone: every resource, subresource and verb, on a follower
 * that is LeaderRX and then Impaired, is either let through by both or refused by the webhook. Who is refused what stands in
 * testdata/who-is-refused.txt. To write it anew: UPDATE_GOLDEN=1 node dist/test/e2e/promise.test.js, then read it.
 */

const test = suite<{ cluster: TestCluster; served: ServedResource[] }>(
  'who refuses, for every resource and verb',
);
const golden = new URL('../../../test/e2e/testdata/who-is-refused.txt', import.meta.url);
const [leader, follower] = ['node-a', 'node-b'] as const;

/** What can be created and is not stored: a binding changes a pod, the reviews are answered. */
const notStored = [
  'bindings',
  'localsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectreviews.authentication.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
  'tokenreviews.authentication.k8s.io',
];

/** Names of the objects that are there before, and of those that are made, in each restricted state. */
const namesIn = {
  LeaderRX: { existing: 'restricted', fresh: 'new' },
  Impaired: { existing: 'impaired', fresh: 'fresh' },
};
/** Of the CRDs which are made here. */
const ownGroup = 'example.com';
/** A cluster-scoped CRD: that of {@link everyKind} has a namespace. */
const planets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'planets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Cluster',
    names: { plural: 'planets', singular: 'planet', kind: 'Planet' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};
const customObjects = (name: string) =>
  ['Krestricted', 'Planet'].map((kind) => ({ apiVersion: 'example.com/v1', kind, metadata: { name } }));
const custom = customObjects('mars.sol');

test.before(async (context) => {
  context.cluster = await TestCluster.start();
});
test.after(({ cluster }) => cluster.stop());

async function create(cluster: TestCluster, items: object[]): Promise<void> {
  const list = { apiVersion: 'v1', kind: 'List', items };
  const printed = await cluster.create(follower, list);
  const others = printed.split('\n').filter((line) => !/ created$|^Warning: /.test(line));
  assert.equal(others, []);
}

test('there is an object of every resource that can be created', async (context) => {
  const { cluster } = context;
  await cluster.kubectl(follower, 'create serviceaccount default');
  const objects = Object.values(namesIn).flatMap(({ existing }) => everyKind(existing));
  await create(cluster, [...objects, planets]);
  await cluster.kubectl(follower, 'wait --for=condition=established crd --all --timeout=20s');
  await create(cluster, custom);
  const client = cluster.kubeClient(follower);
  context.served = await servedResources(client);
  client.close();
  const tried = new Set(
    [...objects, ...custom].map(({ apiVersion, kind }) => `${groupOf(apiVersion)} ${kind}`),
  );
  const missing = context.served.filter(
    ({ group, kind, verbs }) =>
      verbs.includes('create') && group !== ownGroup && !tried.has(`${group} ${kind}`),
  );
  assert.equal(missing.map(qualifiedName).sort(), notStored);
});

const groupOf = (apiVersion: string) => (apiVersion.includes('/') ? apiVersion.split('/')[0] : '');

test('every key that the kube-apiservers wrote is that of a resource which they serve, and maps back', async ({
  cluster,
  served,
}) => {
  const client = new EtcdClient(new URL(cluster.node(leader).etcd).host);
  const { kvs } = await client.range({ key: '\0', rangeEnd: '\0', keysOnly: true });
  client.close();
  const keys = kvs.map(({ key }) => key);
  const found = new Set<string>();
  for (const key of keys) {
    const object = parseKey(key);
    assert.is(registryKey(object), key);
    if (object.apiGroup === datastoreGroup) {
      assert.match(object.resource, /^(peerserverleases|ranges|compact_rev_key)$/);
      continue;
    }
    const { apiGroup, resource, namespace, name } = object;
    const type = served.find((each) => each.resource === resource && each.group === (apiGroup ?? ''));
    assert.is(type?.namespaced, namespace !== '', key);
    found.add(`${qualifiedName({ group: apiGroup ?? '', resource })} ${name}`);
  }
  const objects = [...everyKind('restricted'), ...custom];
  for (const { apiVersion, kind, metadata } of objects) {
    // Events of both groups are stored under one key.
    const group = kind === 'Event' ? '' : groupOf(apiVersion);
    const type = served.find((each) => each.kind === kind && each.group === group);
    assert.ok(type && found.has(`${qualifiedName(type)} ${metadata.name}`), `${apiVersion} ${kind}`);
  }
});

test('"twonode why" knows the same names as kubectl', async ({ served }) => {
  for (const { resource, group, kind, singular, shortNames, verbs } of served) {
    if (
      !verbs.includes('create') ||
      notStored.includes(qualifiedName({ group, resource })) ||
      group === ownGroup
    )
      continue;
    for (const name of [resource, singular, kind.toLowerCase(), ...shortNames]) {
      assert.is(findResource(builtInNames, { name, apiGroup: group })?.resource, resource, name);
    }
  }
});

/** One line for each resource: what may be written, and what is refused, by the webhook. */
function describe(outcomes: Outcome[]): string {
  const lines = new Map<string, string[]>();
  for (const { resource, write, result } of outcomes) {
    const words = lines.get(resource) ?? [];
    lines.set(resource, [...words, `${write}=${result}`]);
  }
  return [...lines].map(([resource, words]) => `${resource} ${words.join(' ')}\n`).join('');
}

test('every write, in both restricted states', async ({ cluster, served }) => {
  const client = cluster.kubeClient(follower);
  let text =
    '# Who is refused what by the webhook: 403 with its sentence is "no", a 2xx "yes", else the status. Written by promise.test.ts.\n';
  const states = [
    ['LeaderRX', 'cut-link', 'Leader LeaderRX'],
    ['Impaired', `remove-cni ${follower}`, 'Leader Impaired'],
  ] as const;
  for (const [state, fault, become] of states) {
    await cluster.fault(fault);
    await cluster.becomes(become);
    await eventually(
      () => cluster.kubectl(follower, 'create configmap probe --dry-run=server'),
      (printed) => printed.includes(`denied the request: ${state}: `),
    );
    const { existing, fresh } = namesIn[state];
    const objects = {
      existing: [...everyKind(existing), ...custom],
      fresh: [...everyKind(fresh), ...customObjects('venus.sol')],
    };
    const outcomes = await everyWrite(client, served, objects, state);
    const byShim = outcomes.filter(({ result }) => result === 'SHIM');
    assert.equal(byShim, []);
    text += `\n## ${state}\n${describe(outcomes)}`;
    await cluster.fault('heal');
    await cluster.becomes('Leader Follower');
  }
  client.close();
  if (process.env.UPDATE_GOLDEN) writeFileSync(golden, text);
  assert.fixture(text, readFileSync(golden, 'utf8'));
});

/** A refusal gets older while the test runs. */
const ageless = (text: string) => text.replace(/Z, \S+\)/, 'Z)');

test('"twonode why" says the same without trying it', async ({ cluster }) => {
  await cluster.fault('cut-link');
  await cluster.becomes('Leader LeaderRX');
  const why = (question: string) => cluster.twonode(`why --node ${follower} ${question}`);
  const refused = await why('create configmaps never');
  const printed = await cluster.kubectl(follower, 'create configmap never');
  assert.is(refused.status, 1);
  assert.is(
    ageless(refused.stdout.split('kubectl prints: ')[1] ?? '').trim(),
    ageless(printed.slice(printed.indexOf('LeaderRX: '))),
  );
  const ofCrd = await why('create planet.example.com never');
  assert.match(ofCrd.stdout, 'CREATE planets.example.com never as system:admin');
  const allowed = await why('create no tried');
  assert.match(allowed.stdout, /^node-b: yes\. LeaderRX: rule "nodes" allows CREATE nodes tried/);
  assert.match(await cluster.kubectl(follower, 'get node tried'), 'not found');
});

test.run();
