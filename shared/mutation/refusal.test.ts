import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  age,
  describeObject,
  type Restriction,
  shimLeaseRefusal,
  shimRefusal,
  webhookRefusal,
} from './refusal.ts';
import type { MutationRequest } from './request.ts';

const since = Date.parse('2026-01-02T12:03:11Z');
const restrictedLeader: Restriction = {
  state: 'LeaderRX',
  node: 'node-b',
  text: 'node-a unreachable since 12:03:11Z',
  sinceMs: since,
};
const impaired: Restriction = {
  state: 'Impaired',
  node: 'node-b',
  text: 'eth0: carrier lost since 12:03:11Z',
  sinceMs: since,
};
const web: MutationRequest = {
  verb: 'create',
  apiGroup: 'apps',
  resource: 'deployments',
  subresource: '',
  namespace: 'default',
  name: 'web',
};
const x: MutationRequest = { ...web, verb: 'update', apiGroup: '', resource: 'configmaps', name: 'x' };

test('the webhook in LeaderRX', () => {
  assert.is(
    webhookRefusal(restrictedLeader, web, 'approvedMutationList', since + 42_900, null),
    'LeaderRX: node-b is a restricted leader (node-a unreachable since 12:03:11Z, 42s); ' +
      'CREATE deployments.apps default/web is not on the approvedMutationList. Reads work. See: kubectl twonode status',
  );
});

test('the webhook in Impaired names the peer only when it can be used', () => {
  const text = (peer: string | null) =>
    webhookRefusal(impaired, x, 'impairedMutationList', since + 12_000, peer);
  assert.is(
    text('node-a'),
    'Impaired: node-b is read-only (eth0: carrier lost since 12:03:11Z, 12s); UPDATE configmaps default/x refused. Use node-a.',
  );
  assert.ok(text(null).endsWith('refused. Reads work. See: kubectl twonode status'));
});

test('the shim', () => {
  const key = '/registry/deployments/default/web';
  assert.is(
    shimRefusal(restrictedLeader, key, { list: 'approvedMutationList' }, since + 42_000),
    'twonode: LeaderRX: write to /registry/deployments/default/web refused: not on the approvedMutationList; node-a unreachable 42s',
  );
  assert.is(
    shimLeaseRefusal(impaired, 'impairedMutationList', since + 5_000),
    'twonode: Impaired: lease call refused: not on the impairedMutationList; eth0: carrier lost 5s',
  );
});

test('the shim, of a lease by which a leader is elected', () => {
  const key = '/registry/leases/kube-system/kube-scheduler';
  assert.is(
    shimRefusal(impaired, key, { list: 'impairedMutationList', electsOn: 'node-a' }, since + 5_000),
    'twonode: Impaired: write to /registry/leases/kube-system/kube-scheduler refused: leader election is on node-a; eth0: carrier lost 5s',
  );
});

test("the shim's sentence is one line of ASCII whatever the key", () => {
  const sentence = shimRefusal(restrictedLeader, 'a\nb\u0000ü', { list: 'approvedMutationList' }, since);
  assert.match(sentence, /^[\x20-\x7e]+$/);
});

test('objects as kubectl names them', () => {
  assert.is(describeObject({ ...web, subresource: 'scale' }), 'deployments.apps/scale default/web');
  assert.is(describeObject({ ...x, resource: 'nodes', namespace: '', name: 'n' }), 'nodes n');
  assert.is(describeObject({ ...web, name: '' }), 'deployments.apps in default');
  assert.is(describeObject({ ...x, resource: 'nodes', namespace: '', name: '' }), 'nodes');
});

test('ages in two units at most', () => {
  const s = 1000;
  assert.equal([-s, 0, 59 * s, 60 * s, 185 * s, 3_600 * s, 7_800 * s, 86_400 * s, 356_400 * s].map(age), [
    '0s',
    '0s',
    '59s',
    '1m',
    '3m5s',
    '1h',
    '2h10m',
    '1d',
    '4d3h',
  ]);
});

test.run();
