import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { caBundle, renew } from '../certificates.ts';
import { createAuthority } from '../x509.ts';
import { mergeBundles, registerObject } from './registration.ts';

const nowMs = Date.now();
const day = 24 * 3_600_000;
const [a, b] = await Promise.all([
  renew(null, 'node-a', nowMs, 7 * day),
  renew(null, 'node-b', nowMs, 7 * day),
]);
const [bundleA, bundleB] = [caBundle(a), caBundle(b)];
const count = (bundle: string) => bundle.split('BEGIN').length - 1;

test('each node keeps its own authorities, and leaves those of the other', () => {
  const both = mergeBundles(mergeBundles('', bundleA, 'node-a', nowMs), bundleB, 'node-b', nowMs);
  assert.is(both, `${bundleA}\n${bundleB}`);
  assert.is(mergeBundles(both, bundleB, 'node-b', nowMs), both);
});

test('an authority that is not used any more, or has expired, goes', async () => {
  const next = caBundle(await renew(null, 'node-b', nowMs, 7 * day));
  const merged = mergeBundles(`${bundleA}\n${bundleB}`, next, 'node-b', nowMs);
  assert.is(merged, `${bundleA}\n${next}`);
  const old = await createAuthority('twonode-webhook-ca node-a then', nowMs - 10 * day, day);
  assert.is(mergeBundles(old.cert, bundleB, 'node-b', nowMs), bundleB);
});

test('what is no certificate is left out', () => {
  const garbage = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nhello';
  assert.is(mergeBundles(garbage, bundleB, 'node-b', nowMs), bundleB);
});

test('the object is applied whole, with both bundles, each time the same', async () => {
  const applied: string[] = [];
  const clientConfig = { caBundle: Buffer.from(bundleA).toString('base64') };
  const api = {
    webhookConfiguration: async () => ({
      webhooks: [{ name: 'x', admissionReviewVersions: [], sideEffects: 'None', clientConfig }],
    }),
    applyWebhookConfiguration: async (_name: string, body: object) => void applied.push(JSON.stringify(body)),
  };
  const node = { node: 'node-b', port: 9443, bundle: bundleB, nowMs };
  await registerObject(api, node);
  await registerObject(api, node);
  assert.is(applied[0], applied[1]);
  const { metadata, webhooks } = JSON.parse(applied[0] ?? '');
  assert.is(metadata.name, 'twonode');
  assert.is(count(Buffer.from(webhooks[0].clientConfig.caBundle, 'base64').toString()), 2);
});

test.run();
