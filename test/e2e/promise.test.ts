import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { builtInNames, findResource } from '../../cli/why/resource-names.ts';
import { eventually } from '../eventually.ts';
import { everyKind } from './every-kind.ts';
import { TestCluster } from './test-cluster.ts';

/**
 * While the webhook runs no person is refused by the shim's sentence alone: every kind of object and every verb, on a follower
 * whose link is cut, is either let through by both or refused by the webhook.
 */

const test = suite<{ cluster: TestCluster }>('who refuses, for every kind and verb');
const follower = 'node-b';

/** What can be created and is not tried: a binding changes a pod, the reviews are stored nowhere. */
const notTried = [
  'bindings',
  'localsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectreviews.authentication.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
  'tokenreviews.authentication.k8s.io',
];

test.before(async (context) => {
  context.cluster = await TestCluster.start();
});
test.after(({ cluster }) => cluster.stop());

/** Runs kubectl on the follower. @param objects what it reads as one list */
function kubectl(cluster: TestCluster, command: string, objects: object[] = []): Promise<string> {
  return cluster.kubectl(
    follower,
    command,
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
  );
}

/** Every line of kubectl is about one object: done, or refused by the webhook. @returns how many of each */
function outcomes(printed: string, done: RegExp): { done: number; refused: number } {
  const lines = printed.trim().split('\n');
  const refused = lines.filter((line) => /denied the request: LeaderRX: node-b is /.test(line));
  const others = lines.filter((line) => !refused.includes(line) && !line.startsWith('Warning: '));
  const unexpected = others.filter((line) => !done.test(line));
  assert.is(unexpected.length, 0, unexpected.join('\n'));
  return { done: others.length, refused: refused.length };
}

interface ServedResource {
  plural: string;
  group: string;
  singular: string;
  short: string[];
}

/** What can be created, but for our own CRD, by `kubectl api-resources`: NAME, SHORTNAMES or nothing, APIVERSION, NAMESPACED, KIND. */
async function servedResources(cluster: TestCluster): Promise<ServedResource[]> {
  const table = await kubectl(cluster, 'api-resources --no-headers --verbs=create');
  const lines = table.split('\n').filter((line) => !line.includes('example.com'));
  return lines.map((line) => {
    const words = line.split(/\s+/);
    const [version = '', , kind = ''] = words.slice(-3);
    return {
      plural: words[0] ?? '',
      group: version.includes('/') ? (version.split('/')[0] ?? '') : '',
      singular: kind.toLowerCase(),
      short: words.length === 5 ? (words[1] ?? '').split(',') : [],
    };
  });
}

const qualified = (name: string, group: string) => (group === '' ? name : `${name}.${group}`);
const isStored = (plural: string) => !notTried.some((each) => each.split('.')[0] === plural);

test('there is an object of every kind, and all can be made while nothing is restricted', async ({
  cluster,
}) => {
  await kubectl(cluster, 'create serviceaccount default');
  const printed = await kubectl(cluster, 'create -f -', everyKind('old'));
  const made = outcomes(printed, / created$/);
  assert.equal(made, { done: everyKind('old').length, refused: 0 });
  const tried = new Set([...printed.matchAll(/^(\S+)\/\S+ created$/gm)].map(([, type = '']) => type));
  const missing = (await servedResources(cluster)).filter(
    ({ singular, group }) => !tried.has(qualified(singular, group)),
  );
  assert.equal(missing.map(({ plural, group }) => qualified(plural, group)).sort(), notTried);
});

test('"twonode why" knows the same names as kubectl', async ({ cluster }) => {
  for (const { plural, group, singular, short } of await servedResources(cluster)) {
    if (!isStored(plural)) continue;
    for (const name of [plural, singular, ...short]) {
      assert.is(findResource(builtInNames, { name, apiGroup: group })?.resource, plural, name);
    }
  }
});

test('create, patch, patch of the status, and delete', async ({ cluster }) => {
  await cluster.fault('cut-link');
  await eventually(
    () => kubectl(cluster, 'create configmap probe --dry-run=server'),
    (printed) => printed.includes('LeaderRX'),
  );
  const count = everyKind('old').length;
  const created = outcomes(await kubectl(cluster, 'create -f -', everyKind('fresh')), / created$/);
  assert.is(created.done + created.refused, count);
  assert.ok(created.done > 0 && created.refused > 0);
  const patch = '{"metadata":{"annotations":{"a":"b"}}}';
  const patched = outcomes(
    await kubectl(cluster, `patch -f - --type=merge -p ${patch}`, everyKind('old')),
    / patched$/,
  );
  assert.is(patched.done + patched.refused, count);
  outcomes(
    await kubectl(cluster, `patch -f - --subresource=status --type=merge -p ${patch}`, everyKind('old')),
    / patched( \(no change\))?$|\(NotFound\)/,
  );
  const deleted = outcomes(
    await kubectl(cluster, 'delete -f - --wait=false', everyKind('old')),
    / deleted( from \S+ namespace)?$/,
  );
  assert.is(deleted.done + deleted.refused, count);
});

/** A refusal gets older while the test runs. */
const ageless = (text: string) => text.replace(/Z, \S+\)/, 'Z)');

test('"twonode why" says the same without trying it', async ({ cluster }) => {
  const why = (question: string) => cluster.twonode(`why --node ${follower} ${question}`);
  const refused = await why('create configmaps never');
  const printed = await kubectl(cluster, 'create configmap never');
  assert.is(refused.status, 1);
  assert.is(
    ageless(refused.stdout.split('kubectl prints: ')[1] ?? '').trim(),
    ageless(printed.slice(printed.indexOf('LeaderRX: '))),
  );
  const ofCrd = await why('create KOld.example.com never');
  assert.match(ofCrd.stdout, 'CREATE olds.example.com default/never as system:admin');
  const allowed = await why('create no tried');
  assert.match(allowed.stdout, /^node-b: yes\. LeaderRX: rule "nodes" allows CREATE nodes tried/);
  assert.match(await kubectl(cluster, 'get node tried'), 'not found');
});

test.run();
