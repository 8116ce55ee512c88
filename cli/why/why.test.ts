import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../shared/config/schema.ts';
import type { StateMessage } from '../../shared/messages.ts';
import { mutationLists } from '../../shared/mutation/lists.ts';
import { answerIn, answerNow } from './answer.ts';
import { namesIn } from './discovery.ts';
import { parseVerb, type Question, requestOf, resolveType, splitTyped } from './question.ts';

const config = configSchema.parse({
  apiVersion: 'twonode.dev/v1alpha1',
  kind: 'TwoNodeConfiguration',
  cluster: 'edge-1',
  nodes: [
    { name: 'node-a', role: 'leader', address: '127.0.0.1' },
    { name: 'node-b', role: 'follower', address: '127.0.0.2' },
  ],
  probes: { northSouth: [{ name: 'gateway', address: '127.0.0.3' }] },
  approvedMutationList: [
    { resources: ['pods', 'deployments'], minPriority: 1_000 },
    { resources: ['configmaps'], groups: ['operators'] },
  ],
});
const lists = mutationLists(config, 'node-b');

const mutating = (typed: string) => {
  const verb = parseVerb(typed);
  if (verb === null) throw new Error(`${typed} reads`);
  return verb;
};

const discovered = namesIn({
  items: [
    {
      metadata: { name: 'example.com' },
      versions: [
        {
          resources: [
            {
              resource: 'planets',
              responseKind: { kind: 'Planet' },
              scope: 'Cluster',
              singularResource: 'planet',
              shortNames: ['pl'],
            },
          ],
        },
      ],
    },
  ],
});
const reachable = async () => discovered;
const unreachable = () => Promise.reject(new Error('away'));
const typeOf = (typed: string) => resolveType(typed, unreachable);

async function asked(verb: string, resource: string, more: Partial<Question> = {}) {
  return requestOf({
    verb: mutating(verb),
    type: await typeOf(resource),
    namespace: 'default',
    user: 'system:admin',
    groups: ['system:masters'],
    priorityClass: '',
    ...more,
  });
}
const answer = async (...question: Parameters<typeof asked>) =>
  answerIn('LeaderRX', lists, await asked(...question)).text;

test('reads a question as kubectl and the sentences of a refusal write it', async () => {
  assert.is(parseVerb('get'), null);
  assert.is(parseVerb('PATCH'), 'update');
  assert.equal(await typeOf('deployments.apps/scale'), {
    apiGroup: 'apps',
    resource: 'deployments',
    subresource: 'scale',
    namespaced: true,
  });
  assert.is((await typeOf('ingresses')).apiGroup, 'networking.k8s.io');
  assert.is((await asked('create', 'nodes', { name: 'node-a' })).namespace, '');
  const { namespace, name } = await asked('create', 'pods', { name: 'shop/web' });
  assert.equal([namespace, name], ['shop', 'web']);
});

test('takes singular, short name and kind, with a group and a version or without', async () => {
  for (const typed of ['deployment', 'deploy', 'Deployment', 'deploy.apps', 'Deployment.v1.apps']) {
    assert.is((await typeOf(typed)).resource, 'deployments', typed);
  }
  assert.is((await typeOf('netpol')).resource, 'networkpolicies');
  assert.is((await typeOf('StorageClass')).resource, 'storageclasses');
  assert.equal(
    [(await typeOf('ev')).apiGroup, (await typeOf('ev.events.k8s.io')).apiGroup],
    ['', 'events.k8s.io'],
  );
});

test('asks a kube-apiserver for what is not built in', async () => {
  const planets = { apiGroup: 'example.com', resource: 'planets', subresource: '', namespaced: false };
  for (const typed of ['planets', 'planet', 'pl', 'Planet.example.com', 'planets.v1.example.com']) {
    assert.equal(await resolveType(typed, reachable), planets, typed);
  }
});

test('what nobody knows is refused with what was expected', async () => {
  const faultOf = (typed: string, discover: typeof reachable) =>
    resolveType(typed, discover).then(
      () => '',
      ({ message }: Error) => message,
    );
  assert.throws(() => parseVerb('destroy'), /expected create, update, patch or delete/);
  assert.is(await faultOf('widget', reachable), 'the kube-apiserver has no resource "widget"');
  assert.match(await faultOf('widget', unreachable), /can be asked \(away\): .* widgets\.example\.com$/);
});

test('without a kube-apiserver a plural with its group can be judged all the same', async () => {
  assert.is((await typeOf('widgets.example.com')).resource, 'widgets');
});

test('names the rule that allows, and says when there is none', async () => {
  assert.is(
    await answer('update', 'nodes', { name: 'node-a' }),
    'yes. LeaderRX: rule "nodes" allows UPDATE nodes node-a as system:admin',
  );
  assert.match(
    await answer('create', 'secrets', { name: 'x' }),
    /^no\. LeaderRX: none of the \d+ rules of approvedMutationList allows CREATE secrets default\/x as system:admin$/,
  );
  assert.match(
    await answer('create', 'configmaps', { groups: ['operators'] }),
    'rule "approvedMutationList[1]"',
  );
});

test('judges by priority what has pods', async () => {
  assert.match(await answer('create', 'deployments', { priority: 1_000 }), 'yes.');
  assert.match(await answer('create', 'deployments', { priorityClass: 'system-node-critical' }), 'yes.');
  assert.match(await answer('create', 'deployments'), 'no.');
  assert.match(await answer('create', 'configmaps', { priority: 1_000 }), 'no.');
});

test('says what is missing where a rule would allow it otherwise', async () => {
  const missing = async (...question: Parameters<typeof asked>) =>
    (await answer(...question)).split('\n').slice(1);
  assert.equal(await missing('create', 'pods', { name: 'web' }), [
    '  rule "approvedMutationList[0]" would, with a priority of 1000 or more',
  ]);
  assert.equal(await missing('update', 'configmaps', { name: 'x' }), [
    '  rule "approvedMutationList[1]" would, for operators',
  ]);
  assert.equal(await missing('create', 'secrets', { name: 'x' }), []);
});

test('TYPE/NAME is read as kubectl reads it, a subresource as the rules do', () => {
  assert.equal(splitTyped('deploy/web', undefined), { type: 'deploy', name: 'web' });
  assert.equal(splitTyped('pods/eviction', 'web'), { type: 'pods/eviction', name: 'web' });
  assert.equal(splitTyped('pods', 'web'), { type: 'pods', name: 'web' });
  assert.throws(() => splitTyped('deploy/web', 'other'), /"web" is no subresource .* there already: other/);
});

test('in an unrestricted state, and for what stores nothing, no rule is needed', async () => {
  assert.is(
    answerIn('Leader', lists, await asked('create', 'secrets')).text,
    'yes. Leader: everything is allowed',
  );
  assert.is(
    answerIn('Impaired', lists, await asked('create', 'serviceaccounts/token')).text,
    'yes. Impaired: it stores nothing',
  );
});

const said: StateMessage = {
  v: 1,
  node: 'node-b',
  role: 'follower',
  state: 'LeaderRX',
  since: '2026-01-02T12:03:12Z',
  reason: 'peer-down',
  text: 'node-a unreachable since 12:03:11Z',
  reason_since: '2026-01-02T12:03:11Z',
  warnings: [],
  epoch: 1,
  revision: 1,
  conflicts: 0,
  peer: { node: 'node-a', state: 'Impaired', reason: null, heard: false, age_ms: null },
  seq: 1,
  ttl_ms: 3_000,
};

test('of the present state it says what kubectl would print', async () => {
  const { allowed, text } = answerNow(
    said,
    lists,
    await asked('create', 'secrets'),
    Date.parse('2026-01-02T12:03:53Z'),
  );
  assert.not(allowed);
  assert.is(
    text.split('\n')[1],
    '  kubectl prints: LeaderRX: node-b is a restricted leader (node-a unreachable since 12:03:11Z, 42s); ' +
      'CREATE secrets in default is not on the approvedMutationList. Reads work. See: kubectl twonode status',
  );
});

test('a lease by which a leader is elected is for the peer to write while that is LeaderRX', async () => {
  const peer = {
    node: 'node-a',
    state: 'LeaderRX',
    reason: 'peer-impaired',
    heard: true,
    age_ms: 0,
  } as const;
  const lease = await asked('update', 'leases', { namespace: 'kube-system', name: 'kube-scheduler' });
  const impaired = { ...said, state: 'Impaired', text: 'eth0: carrier lost' } as const;
  const nowMs = Date.parse('2026-01-02T12:03:53Z');
  assert.is(answerNow(impaired, lists, lease, nowMs).allowed, true);
  assert.equal(answerNow({ ...impaired, peer }, lists, lease, nowMs).text.split('\n  '), [
    'no. Impaired: leader election is on node-a; UPDATE leases.coordination.k8s.io kube-system/kube-scheduler as system:admin',
    'kubectl prints: Impaired: node-b is read-only (eth0: carrier lost, 42s); UPDATE leases.coordination.k8s.io kube-system/kube-scheduler refused. Use node-a.',
  ]);
});

test.run();
