import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema, type MutationRule } from '../config/schema.ts';
import { authorize } from './authorize.ts';
import { authorizeKey, leaseCallsAllowed } from './datastore-write.ts';
import { mutationLists } from './lists.ts';
import type { MutationRequest, MutationVerb } from './request.ts';

interface ListPart {
  defaults?: 'replace';
  mutationSets?: Record<string, MutationRule[]>;
  approvedMutationList?: (MutationRule | string)[];
  impairedMutationList?: (MutationRule | string)[];
}
function configured(part: ListPart = {}) {
  return configSchema.parse({
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'edge-1',
    nodes: [
      { name: 'node-a', role: 'leader', address: '127.0.0.1' },
      { name: 'node-b', role: 'follower', address: '127.0.0.2' },
    ],
    probes: { northSouth: [{ name: 'gateway', address: '127.0.0.3' }] },
    ...part,
  });
}
const lists = mutationLists(configured(), 'node-b');
const highOnly: MutationRule = { resources: ['pods'], verbs: ['create'], minPriority: 1_000_000 };

function writes(state: 'LeaderRX' | 'Impaired', verb: MutationVerb, ...keys: string[]): boolean[] {
  return keys.map((key) => authorizeKey(state, lists, { key, verb }).allowed);
}

test('Leader and Follower write everything, and no value is read', () => {
  const value = () => assert.unreachable('read');
  for (const state of ['Leader', 'Follower'] as const) {
    assert.equal(
      authorizeKey(state, lists, { key: 'foo', verb: 'create', value: () => value() ?? undefined }),
      {
        allowed: true,
      },
    );
  }
});

test('what keeps a node alive passes in both restricted states', () => {
  for (const state of ['LeaderRX', 'Impaired'] as const) {
    const vital = writes(
      state,
      'update',
      '/registry/leases/kube-system/kube-controller-manager',
      '/registry/leases/kube-node-lease/node-b',
      '/registry/masterleases/10.0.0.2',
      '/registry/peerserverleases/apiserver-x',
      'compact_rev_key',
      '/bootstrap/0123456789ab',
      '/registry/secrets/kube-system/k3s-serving',
      '/registry/secrets/kube-system/node-b.node-password.k3s',
      '/registry/minions/node-b',
      '/registry/clusterroles/cluster-admin',
      '/registry/validatingwebhookconfigurations/broken',
    );
    assert.ok(vital.every(Boolean), `${state} ${vital}`);
    assert.ok(leaseCallsAllowed(state, lists));
  }
});

test('LeaderRX carries what runs; Impaired does not', () => {
  const keys = [
    '/registry/pods/default/web',
    '/registry/events/default/web.1',
    '/registry/minions/node-a',
    '/registry/leases/kube-node-lease/node-a',
    '/registry/services/endpoints/default/web',
    '/registry/endpointslices/default/web',
  ];
  assert.ok(writes('LeaderRX', 'update', ...keys).every(Boolean));
  assert.not(writes('Impaired', 'update', ...keys).some(Boolean));
});

test('neither takes what people want', () => {
  const keys = [
    '/registry/deployments/default/web',
    '/registry/configmaps/default/x',
    '/registry/secrets/default/x',
    '/registry/example.com/widgets/default/w',
    '/registry/leases/default/mine',
    'foo',
  ];
  for (const state of ['LeaderRX', 'Impaired'] as const) {
    assert.not(writes(state, 'create', ...keys).some(Boolean), state);
  }
});

const person: MutationRequest = {
  verb: 'create',
  apiGroup: '',
  resource: 'pods',
  subresource: '',
  namespace: 'default',
  name: 'web',
  user: 'system:admin',
  groups: ['system:masters', 'system:authenticated'],
  priority: 0,
  priorityClass: '',
};

test("the webhook narrows: k3s' admin is a person, and pods are for controllers", () => {
  const allowed = (part: Partial<MutationRequest>) =>
    authorize('LeaderRX', lists, { ...person, ...part }).allowed;
  assert.not(allowed({}));
  assert.not(allowed({ verb: 'delete' }));
  assert.not(allowed({ apiGroup: 'rbac.authorization.k8s.io', resource: 'clusterroles', namespace: '' }));
  assert.ok(
    allowed({
      user: 'system:serviceaccount:kube-system:replicaset-controller',
      groups: ['system:serviceaccounts:kube-system'],
    }),
  );
  assert.ok(
    allowed({ user: 'system:node:node-b', groups: ['system:nodes'], verb: 'update', subresource: 'status' }),
  );
});

test('what stores nothing is never refused', () => {
  const allowed = (part: Partial<MutationRequest>) =>
    authorize('Impaired', lists, { ...person, ...part }).allowed;
  assert.ok(allowed({ apiGroup: 'authentication.k8s.io', resource: 'selfsubjectreviews' }));
  assert.ok(allowed({ resource: 'serviceaccounts', subresource: 'token' }));
});

test('a configured rule on priority takes the place of the built-in creation of pods', () => {
  const judged = mutationLists(configured({ approvedMutationList: [highOnly] }), 'node-b');
  const create = (priority: number) =>
    authorizeKey('LeaderRX', judged, {
      key: '/registry/pods/default/web',
      verb: 'create',
      value: () => Buffer.from(JSON.stringify({ spec: { priority } })),
    }).allowed;
  assert.ok(create(1_000_000));
  assert.not(create(999_999));
  assert.ok(authorizeKey('LeaderRX', judged, { key: '/registry/pods/default/web', verb: 'delete' }).allowed);
});

test('a verdict names its rule', () => {
  const own = mutationLists(configured({ approvedMutationList: [{ resources: ['configmaps'] }] }), 'node-a');
  const verdict = authorize('LeaderRX', own, { ...person, resource: 'configmaps' });
  assert.equal(verdict.allowed && verdict.rule?.origin, 'approvedMutationList[0]');
  assert.equal(verdict.allowed && verdict.rule?.builtIn, false);
});

test('defaults: replace leaves the configured rules alone', () => {
  const own = mutationLists(configured({ defaults: 'replace' }), 'node-a');
  assert.equal(own, { approvedMutationList: [], impairedMutationList: [] });
  assert.not(leaseCallsAllowed('LeaderRX', own));
});

test('a set is taken by its name, a built-in one too, and also from the other list', () => {
  const own = mutationLists(
    configured({
      defaults: 'replace',
      mutationSets: { shop: [{ resources: ['configmaps'] }] },
      approvedMutationList: ['leases', 'shop'],
      impairedMutationList: ['leases', 'events', 'shop'],
    }),
    'node-b',
  );
  const origins = (list: keyof typeof own) => [
    ...new Set(own[list].map(({ origin, builtIn }) => `${origin} ${builtIn}`)),
  ];
  assert.equal(origins('approvedMutationList'), ['leases true', 'shop false']);
  assert.equal(origins('impairedMutationList'), ['leases true', 'events false', 'shop false']);
  const peersLease = { key: '/registry/leases/kube-node-lease/node-a', verb: 'update' } as const;
  assert.ok(authorizeKey('LeaderRX', own, peersLease).allowed);
  assert.not(authorizeKey('Impaired', own, peersLease).allowed);
});

test('a set with the name of a built-in one takes its place', () => {
  const own = mutationLists(configured({ mutationSets: { events: [] } }), 'node-b');
  assert.not(authorizeKey('LeaderRX', own, { key: '/registry/events/default/x', verb: 'create' }).allowed);
  assert.ok(authorizeKey('LeaderRX', own, { key: '/registry/minions/node-a', verb: 'update' }).allowed);
});

test('a set that judges pods by priority counts like the rules in it', () => {
  const own = mutationLists(
    configured({ mutationSets: { high: [highOnly] }, approvedMutationList: ['high'] }),
    'node-b',
  );
  const low = {
    key: '/registry/pods/default/web',
    verb: 'create',
    value: Buffer.from('{"spec":{}}'),
  } as const;
  assert.not(authorizeKey('LeaderRX', own, low).allowed);
});

test.run();
