import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MutationRule } from '../../shared/config/schema.ts';
import { systemClassValue } from '../../shared/mutation/priority-classes.ts';
import { decide, toMutationRequest } from './decide.ts';
import { respond } from './respond.ts';
import { type AdmissionRequest, decodeReview } from './review.ts';
import { reviewBody, stateMessage } from './testing/reviews.ts';

function request(change: Record<string, unknown> = {}): AdmissionRequest {
  const review = decodeReview(reviewBody(change));
  if (!review.ok) throw new Error(review.error);
  return review.request;
}
const asked = (change: Record<string, unknown>) => toMutationRequest(request(change), systemClassValue);
const policy = (...rules: MutationRule[]) => ({
  lists: {
    approvedMutationList: rules.map((rule) => ({ rule, builtIn: false, origin: 'test' })),
    impairedMutationList: [],
  },
  classValue: systemClassValue,
});

test('refuses what no rule allows, and allows the rest', () => {
  assert.is(decide(stateMessage(), policy(), request()).kind, 'refused');
  assert.is(decide(stateMessage(), policy({ resources: ['deployments'] }), request()).kind, 'allowed');
  for (const state of ['Leader', 'Follower'] as const) {
    assert.is(decide(stateMessage({ state }), policy(), request()).kind, 'allowed');
  }
});

test('a lease by which a leader is elected is for the peer to write while that is LeaderRX', () => {
  const lease = request({
    resource: { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' },
    name: 'kube-scheduler',
    namespace: 'kube-system',
  });
  const lists = policy({ resources: ['leases'] }).lists.approvedMutationList;
  const decided = (state: 'LeaderRX' | 'Leader') =>
    decide(
      stateMessage({
        state: 'Impaired',
        peer: { node: 'node-a', state, reason: null, heard: true, age_ms: 0 },
      }),
      { lists: { approvedMutationList: [], impairedMutationList: lists }, classValue: systemClassValue },
      lease,
    );
  assert.is(decided('Leader').kind, 'allowed');
  const refused = decided('LeaderRX');
  assert.is(refused.kind, 'refused');
  const { response } = respond('u', refused, Date.parse('2026-01-02T12:03:53Z'));
  assert.is(
    response.status?.message,
    'Impaired: node-b is read-only (node-a unreachable since 12:03:11Z, 42s); ' +
      'CREATE leases.coordination.k8s.io kube-system/kube-scheduler refused. Use node-a.',
  );
});

test('without a fresh state the datastore decides', () => {
  assert.equal(decide(null, policy(), request()), {
    kind: 'allowed',
    state: null,
    verdict: { allowed: true },
  });
});

test('connecting is no write', () => {
  assert.is(decide(stateMessage(), policy(), request({ operation: 'CONNECT' })).kind, 'allowed');
});

test('names a request as its object is stored', () => {
  const namespaces = { group: '', version: 'v1', resource: 'namespaces' };
  assert.is(asked({ resource: namespaces, namespace: 'web', name: 'web' })?.namespace, '');
  const bindings = asked({ resource: { group: '', version: 'v1', resource: 'bindings' } });
  assert.equal([bindings?.resource, bindings?.subresource], ['pods', 'binding']);
  assert.is(asked({ subResource: 'scale' })?.subresource, 'scale');
});

test('the status write by which an object goes is a write to the object', () => {
  const metadata = {
    name: 'web',
    deletionTimestamp: '2026-01-02T12:00:00Z',
    finalizers: ['example.com/wait'],
  };
  const written = (finalizers: string[], before: object = metadata) =>
    asked({
      subResource: 'status',
      operation: 'UPDATE',
      object: { metadata: { ...metadata, finalizers } },
      oldObject: { metadata: before },
    })?.subresource;
  assert.is(written([]), '');
  assert.is(written(['example.com/wait']), 'status');
  assert.is(written([], { name: 'web' }), 'status');
  assert.is(written([], { ...metadata, deletionGracePeriodSeconds: 30 }), 'status');
  assert.is(written([], { ...metadata, deletionGracePeriodSeconds: 0 }), '');
});

test('takes the name from the object where the request has none', () => {
  assert.is(asked({ name: '' })?.name, 'web');
  const old = { metadata: { name: 'old' } };
  assert.is(asked({ name: '', operation: 'DELETE', object: null, oldObject: old })?.name, 'old');
  assert.is(asked({ name: '', object: { metadata: { generateName: 'web-' } } })?.name, '');
});

test.run();
