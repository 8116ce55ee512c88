import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { systemClassValue } from '../../shared/mutation/priority-classes.ts';
import { requestedPriority } from './pods-of.ts';
import { decodeReview } from './review.ts';
import { reviewBody } from './testing/reviews.ts';

function priorityOf(change: Record<string, unknown>) {
  const review = decodeReview(reviewBody(change));
  if (!review.ok) throw new Error(review.error);
  return requestedPriority(review.request, (name) => (name === 'high' ? 1_000 : systemClassValue(name)));
}
const pods = { group: '', version: 'v1', resource: 'pods' };
const podSpec = (more: object) => ({ containers: [], ...more });

test('a pod has the priority that the apiserver gave it', () => {
  const pod = { spec: podSpec({ priority: 7, priorityClassName: 'seven' }) };
  assert.equal(priorityOf({ resource: pods, object: pod }), { priority: 7, priorityClass: 'seven' });
  assert.equal(priorityOf({ resource: pods, object: null, oldObject: pod }).priority, 7);
  assert.equal(priorityOf({ resource: pods, subResource: 'status', object: pod }).priority, 7);
  assert.equal(priorityOf({ resource: pods, object: { spec: podSpec({}) } }), {
    priority: 0,
    priorityClass: '',
  });
});

test('a workload has the priority of the class in its template', () => {
  const template = { spec: podSpec({ priorityClassName: 'high' }) };
  const high = { priority: 1_000, priorityClass: 'high' };
  assert.equal(priorityOf({ object: { spec: { template } } }), high);
  assert.equal(priorityOf({ object: { spec: { jobTemplate: { spec: { template } } } } }), high);
  assert.equal(priorityOf({ object: { template } }), high);
});

test('a class without a known value is not high enough for anything', () => {
  const object = { spec: { template: { spec: podSpec({ priorityClassName: 'unknown' }) } } };
  assert.equal(priorityOf({ object }), { priority: null, priorityClass: 'unknown' });
  assert.is(systemClassValue('system-node-critical'), 2_000_001_000);
});

test('what has no pods has no priority', () => {
  const none = { priority: null, priorityClass: '' };
  assert.equal(priorityOf({ object: null }), none);
  assert.equal(priorityOf({ object: { data: {} } }), none);
  assert.equal(priorityOf({ subResource: 'scale', object: { spec: { replicas: 1 } } }), none);
  assert.equal(priorityOf({ resource: pods, subResource: 'binding', object: { target: {} } }), none);
  assert.equal(priorityOf({ object: { spec: { template: { spec: { url: 'x' } } } } }), none);
});

test.run();
