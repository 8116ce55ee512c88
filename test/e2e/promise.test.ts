import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eventually } from '../eventually.ts';
import { everyKind } from './every-kind.ts';
import { TestCluster } from './test-cluster.ts';

/**
 * While the webhook runs no person is refused by the shim's sentence alone: every kind of object and every verb, on a follower
 * whose link is cut, is either let through by both or refused by the webhook.
 */

const test = suite<{ cluster: TestCluster }>('who refuses, for every kind and verb');
const follower = 'node-b';

/** What can be created and is not tried: it is stored nowhere, or it needs certificates or a version of its own. */
const notTried = [
  'bindings',
  'certificatesigningrequests.certificates.k8s.io',
  'clustertrustbundles.certificates.k8s.io',
  'devicetaintrules.resource.k8s.io',
  'localsubjectaccessreviews.authorization.k8s.io',
  'podcertificaterequests.certificates.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectreviews.authentication.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'storageversionmigrations.storagemigration.k8s.io',
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

test('there is an object of every kind, and all can be made while nothing is restricted', async ({
  cluster,
}) => {
  await kubectl(cluster, 'create serviceaccount default');
  const printed = await kubectl(cluster, 'create -f -', everyKind('old'));
  const made = outcomes(printed, / created$/);
  assert.equal(made, { done: everyKind('old').length, refused: 0 });
  const tried = printed.matchAll(/^(\S+)\/\S+ created$/gm);
  const types = new Set([...tried].map(([, type = '']) => type));
  const served = (await kubectl(cluster, 'api-resources --verbs=create -o name')).trim().split('\n');
  const singular = new Map<string, string>();
  for (const line of (await kubectl(cluster, 'api-resources --no-headers --verbs=create'))
    .trim()
    .split('\n')) {
    const words = line.split(/\s+/);
    const group = (words.at(-3) ?? '').split('/').length > 1 ? `.${words.at(-3)?.split('/')[0]}` : '';
    singular.set(`${words[0]}${group}`, `${words.at(-1)?.toLowerCase()}${group}`);
  }
  const missing = served.filter(
    (type) => !types.has(singular.get(type) ?? type) && !type.endsWith('example.com'),
  );
  assert.equal(missing.sort(), notTried);
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
  const allowed = await why('create nodes tried');
  assert.match(allowed.stdout, /^node-b: yes\. LeaderRX: rule "nodes" allows CREATE nodes tried/);
  assert.match(await kubectl(cluster, 'get node tried'), 'not found');
});

test.run();
