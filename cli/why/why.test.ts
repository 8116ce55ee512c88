import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../../shared/config/schema.ts';
import type { StateMessage } from '../../shared/messages.ts';
import { mutationLists } from '../../shared/mutation/lists.ts';
import { answerIn, answerNow } from './answer.ts';
import { parseType, parseVerb, type Question, requestOf } from './question.ts';

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

function asked(verb: string, resource: string, more: Partial<Question> = {}) {
  return requestOf({
    verb: mutating(verb),
    type: parseType(resource),
    namespace: 'default',
    user: 'system:admin',
    groups: ['system:masters'],
    priorityClass: '',
    ...more,
  });
}
const answer = (...question: Parameters<typeof asked>) =>
  answerIn('LeaderRX', lists, asked(...question)).text;

test('reads a question as kubectl and the sentences of a refusal write it', () => {
  assert.is(parseVerb('get'), null);
  assert.is(parseVerb('PATCH'), 'update');
  assert.equal(parseType('deployments.apps/scale'), {
    apiGroup: 'apps',
    resource: 'deployments',
    subresource: 'scale',
    namespaced: true,
  });
  assert.is(parseType('ingresses').apiGroup, 'networking.k8s.io');
  assert.is(parseType('widgets.example.com').apiGroup, 'example.com');
  assert.is(asked('create', 'nodes', { name: 'node-a' }).namespace, '');
  assert.equal(
    [asked('create', 'pods', { name: 'shop/web' })].map(({ namespace, name }) => [namespace, name]),
    [['shop', 'web']],
  );
});

test('what nobody knows is refused with what was expected', () => {
  assert.throws(() => parseVerb('destroy'), /expected create, update, patch or delete/);
  assert.throws(() => parseType('deployment'), /expected a resource in the plural/);
  assert.throws(() => parseType('widgets'), /widgets\.example\.com/);
});

test('names the rule that allows, and says when there is none', () => {
  assert.is(
    answer('update', 'nodes', { name: 'node-a' }),
    'yes. LeaderRX: rule "nodes" allows UPDATE nodes node-a as system:admin',
  );
  assert.match(
    answer('create', 'secrets', { name: 'x' }),
    /^no\. LeaderRX: none of the \d+ rules of approvedMutationList allows CREATE secrets default\/x as system:admin$/,
  );
  assert.match(answer('create', 'configmaps', { groups: ['operators'] }), 'rule "approvedMutationList[1]"');
});

test('judges by priority what has pods', () => {
  assert.match(answer('create', 'deployments', { priority: 1_000 }), 'yes.');
  assert.match(answer('create', 'deployments', { priorityClass: 'system-node-critical' }), 'yes.');
  assert.match(answer('create', 'deployments'), 'no.');
  assert.match(answer('create', 'configmaps', { priority: 1_000 }), 'no.');
});

test('in an unrestricted state, and for what stores nothing, no rule is needed', () => {
  assert.is(answerIn('Leader', lists, asked('create', 'secrets')).text, 'yes. Leader: everything is allowed');
  assert.is(
    answerIn('Impaired', lists, asked('create', 'serviceaccounts/token')).text,
    'yes. Impaired: it stores nothing',
  );
});

test('of the present state it says what kubectl would print', () => {
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
    peer: { node: 'node-a', state: 'Impaired', reason: null, heard: false, age_ms: null },
    seq: 1,
    ttl_ms: 3_000,
  };
  const { allowed, text } = answerNow(
    said,
    lists,
    asked('create', 'secrets'),
    Date.parse('2026-01-02T12:03:53Z'),
  );
  assert.not(allowed);
  assert.is(
    text.split('\n')[1],
    '  kubectl prints: LeaderRX: node-b is a restricted leader (node-a unreachable since 12:03:11Z, 42s); ' +
      'CREATE secrets in default is not on the approvedMutationList. Reads work. See: kubectl twonode status',
  );
});

test.run();
