import type { StateMessage } from '../../../shared/messages.ts';

/** A review as kube-apiserver sends it, with what a test changes. */
export function reviewBody(request: Record<string, unknown> = {}) {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: 'apps', version: 'v1', kind: 'Deployment' },
      resource: { group: 'apps', version: 'v1', resource: 'deployments' },
      name: 'web',
      namespace: 'default',
      operation: 'CREATE',
      userInfo: { username: 'system:admin', groups: ['system:masters', 'system:authenticated'] },
      object: {
        metadata: { name: 'web' },
        spec: { template: { spec: { containers: [{ name: 'c', image: 'x' }] } } },
      },
      oldObject: null,
      dryRun: false,
      ...request,
    },
  };
}

/** Node-b alone: the message of its shim. */
export function stateMessage(change: Partial<StateMessage> = {}): StateMessage {
  return {
    v: 1,
    node: 'node-b',
    role: 'follower',
    state: 'LeaderRX',
    since: '2026-01-02T12:03:12.000Z',
    reason: 'peer-down',
    text: 'node-a unreachable since 12:03:11Z',
    reason_since: '2026-01-02T12:03:11.000Z',
    warnings: [],
    epoch: 4,
    revision: 184_223,
    conflicts: 0,
    peer: { node: 'node-a', state: 'Impaired', reason: null, heard: false, age_ms: null },
    seq: 90,
    ttl_ms: 3_000,
    ...change,
  };
}
