import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { podPriority } from './pod-priority.ts';

const recorded = readFileSync(new URL('../../../shared/mutation/testdata/pods.txt', import.meta.url), 'utf8');
const pods = new Map(
  recorded
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' ') as [string, string])
    .map(([name, base64]) => [name, Buffer.from(base64, 'base64')]),
);
const pod = (name: string) => pods.get(name) ?? assert.unreachable(name) ?? Buffer.alloc(0);
const unreadable = { priority: undefined, priorityClass: undefined };

test('pods as a kube-apiserver stored them', () => {
  assert.equal(podPriority(pod('high')), { priority: 1_000_000, priorityClass: 'high' });
  assert.equal(podPriority(pod('low')), { priority: -5, priorityClass: 'low' });
  assert.equal(podPriority(pod('plain')), { priority: 0, priorityClass: '' });
});

test('pods as JSON', () => {
  const json = (value: unknown) => podPriority(Buffer.from(JSON.stringify(value)));
  assert.equal(json({ spec: { priority: 7, priorityClassName: 'x' } }), { priority: 7, priorityClass: 'x' });
  assert.equal(json({ spec: {} }), { priority: 0, priorityClass: '' });
  assert.equal(json({ spec: { priority: 'high' } }), unreadable);
  assert.equal(json({ spec: null }), unreadable);
});

test('what is encrypted at rest or empty is unreadable', () => {
  assert.equal(podPriority(Buffer.from('k8s:enc:aescbc:v1:key1:abc')), unreadable);
  assert.equal(podPriority(new Uint8Array()), unreadable);
});

test('a pod that is cut off or damaged is no error', () => {
  const high = pod('high');
  for (let length = 0; length < high.length; length++) podPriority(high.subarray(0, length));
  const damage = fc.tuple(fc.nat(high.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 8 }), (damages) => {
      const bytes = Buffer.from(high);
      for (const [at, byte] of damages) bytes[at] = byte;
      podPriority(bytes);
    }),
  );
});

test.run();
