import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { authorizeKey } from './datastore-write.ts';
import { impairedDefaults } from './default-lists.ts';
import { electsOn, isElectionLease } from './election-lease.ts';
import { parseKey } from './registry-key.ts';

const peer = { node: 'node-b', state: 'LeaderRX', reason: 'peer-impaired', heard: true, age_ms: 90 } as const;
const rules = impairedDefaults('node-a').flatMap(({ name, rules }) =>
  rules.map((rule) => ({ rule, builtIn: true, origin: name })),
);
const lists = { approvedMutationList: rules, impairedMutationList: rules };

test('elections go to a peer that is heard and LeaderRX, when this node is Impaired', () => {
  assert.is(electsOn('Impaired', peer), 'node-b');
  assert.is(electsOn('LeaderRX', peer), null);
  assert.is(electsOn('Impaired', { ...peer, heard: false }), null);
  for (const state of ['Leader', 'Follower', 'Impaired', null] as const)
    assert.is(electsOn('Impaired', { ...peer, state }), null);
  assert.is(electsOn('Impaired', null), null);
});

test('what is an election, and what is a sign of life', () => {
  const isElection = (key: string) => isElectionLease(parseKey(key));
  assert.ok(isElection('/registry/leases/kube-system/kube-scheduler'));
  assert.ok(isElection('/registry/leases/kube-system/k3s'));
  assert.ok(isElection('/registry/leases/shop/operator'));
  assert.ok(isElection('/registry/leases/shop/apiserver-x'));
  assert.not(isElection('/registry/leases/kube-system/apiserver-eqt7hxj5yi2u2q5rqg4xgmjpbm'));
  assert.not(isElection('/registry/leases/kube-node-lease/node-a'));
  assert.not(isElection('/registry/leasecandidates/kube-system/x'));
  assert.not(isElection('/registry/configmaps/kube-system/kube-scheduler'));
  assert.not(isElection('/registry/masterleases/10.0.0.1'));
});

test('the list allows the renewal again when the peer does not lead', () => {
  const renew = (key: string, state: 'LeaderRX' | 'Leader') =>
    authorizeKey('Impaired', lists, { key, verb: 'update' }, { ...peer, state });
  const election = '/registry/leases/kube-system/kube-scheduler';
  assert.equal(renew(election, 'LeaderRX'), {
    allowed: false,
    list: 'impairedMutationList',
    electsOn: 'node-b',
  });
  assert.is(renew(election, 'Leader').allowed, true);
  for (const own of ['/registry/leases/kube-node-lease/node-a', '/registry/leases/kube-system/apiserver-x'])
    assert.is(renew(own, 'LeaderRX').allowed, true);
});

test.run();
