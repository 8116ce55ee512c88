import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeReview } from './review.ts';
import { reviewBody } from './testing/reviews.ts';

const errorOf = (body: unknown) => {
  const review = decodeReview(body);
  return review.ok ? null : review.error;
};

test('reads what it needs, with nothing where the apiserver leaves a field out', () => {
  const review = decodeReview(reviewBody({ name: undefined, namespace: undefined, object: undefined }));
  assert.ok(review.ok && review.request.name === '' && review.request.namespace === '');
  assert.ok(review.ok && review.request.subResource === '' && review.request.object === undefined);
});

test('objects without spec and metadata are objects', () => {
  assert.is(errorOf(reviewBody({ object: {}, oldObject: { metadata: {} } })), null);
});

test('says which field is wrong', () => {
  assert.is(errorOf(null)?.split(':')[0], 'not an AdmissionReview');
  assert.is(
    errorOf({ ...reviewBody(), apiVersion: 'admission.k8s.io/v1beta1' }),
    'not an AdmissionReview: apiVersion: expected admission.k8s.io/v1',
  );
  assert.is(
    errorOf({ ...reviewBody(), kind: 'Pod' }),
    'not an AdmissionReview: kind: expected AdmissionReview',
  );
  assert.match(errorOf(reviewBody({ uid: '' })) ?? '', 'request.uid');
  assert.match(errorOf(reviewBody({ operation: 'PATCH' })) ?? '', 'request.operation');
});

test('and never what was in it', () => {
  const secret = 'c2VjcmV0';
  assert.not.match(errorOf(reviewBody({ operation: secret, object: secret })) ?? '', secret);
  assert.not.match(errorOf({ apiVersion: secret, kind: secret, request: secret }) ?? '', secret);
});

test.run();
