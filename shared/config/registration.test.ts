import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from './schema.ts';

const faults = (kubernetes: object, webhookOfNodeB = 9443) => {
  const parsed = configSchema.safeParse({
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'edge-1',
    nodes: [
      { name: 'node-a', role: 'leader', address: '127.0.0.1' },
      { name: 'node-b', role: 'follower', address: '127.0.0.2', ports: { webhook: webhookOfNodeB } },
    ],
    probes: { northSouth: [{ name: 'gateway', address: '127.0.0.3' }] },
    kubernetes,
  });
  return parsed.success
    ? []
    : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
};
const object = { registration: 'object', kubeconfig: '/etc/rancher/k3s/k3s.yaml' };

test('a static manifest needs nothing, and each node may have a port of its own', () => {
  assert.equal(faults({}, 9444), []);
});

test('an object needs a kubeconfig, and one port for both nodes', () => {
  assert.equal(faults(object), []);
  assert.equal(faults({ registration: 'object' }), [
    'kubernetes.registration: expected a kubernetes.kubeconfig for registration: object',
  ]);
  assert.equal(faults(object, 9444), [
    'kubernetes.registration: expected the same ports.webhook on both nodes for registration: object',
  ]);
});

test.run();
