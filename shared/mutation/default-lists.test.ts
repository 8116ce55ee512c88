import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { configSchema } from '../config/schema.ts';
import { mutationLists } from './lists.ts';
import { describeWrite, parseWrite } from './testing/control-plane-writes.ts';

// The built-in lists alone, judged by what a real control plane wrote. To record it anew: node dist/test/e2e/record-control-plane.js

const lists = mutationLists(
  configSchema.parse({
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'edge-1',
    nodes: [
      { name: 'node-a', role: 'leader', address: '127.0.0.1' },
      { name: 'node-b', role: 'follower', address: '127.0.0.2' },
    ],
    probes: { northSouth: [{ name: 'gateway', address: '127.0.0.3' }] },
  }),
  'node-b',
);

const file = new URL('../../../shared/mutation/testdata/control-plane-writes.txt', import.meta.url);
const phases = new Map(
  readFileSync(file, 'utf8')
    .split('\n## ')
    .slice(1)
    .map((text) => {
      const [name = '', ...lines] = text.trim().split('\n');
      return [name, lines] as const;
    }),
);
const linesOf = (phase: string) => phases.get(phase) ?? [];

test('each recorded write is judged as the recording says', () => {
  const lines = [...phases.values()].flat();
  assert.ok(lines.length > 50);
  for (const line of lines) assert.is(describeWrite(lists, parseWrite(line)), line);
});

const refusedIn = (phase: string, state: string) =>
  linesOf(phase).filter((line) => new RegExp(`${state}: no(;|$)`).test(line));

test('LeaderRX: nothing is refused when the control plane starts again, is idle, or loses a node', () => {
  for (const phase of [
    'first start of kube-apiserver',
    'restart of kube-apiserver',
    'idle',
    'restart of kube-controller-manager, kube-scheduler and a kubelet',
    'a node is lost',
  ]) {
    assert.ok(linesOf(phase).length > 0, phase);
    assert.equal(refusedIn(phase, 'LeaderRX'), [], phase);
  }
});

test('LeaderRX: of the work of controllers this much waits, as docs/mutation-lists.md says', () => {
  const waits = refusedIn('work', 'LeaderRX').map((line) => {
    const [user = '', verb, type = ''] = line.split(' ');
    const controller = user.split(':').at(-1);
    return controller === 'namespace-controller' ? controller : `${controller} ${verb} ${type}`;
  });
  assert.equal([...new Set(waits)].sort(), [
    'cronjob-controller create jobs.batch',
    'deployment-controller create replicasets.apps',
    'generic-garbage-collector delete jobs.batch',
    'namespace-controller',
    'root-ca-cert-publisher create configmaps',
    'service-account-controller create serviceaccounts',
  ]);
});

test('Impaired: an apiserver can start, and what is idle stays so', () => {
  for (const phase of ['first start of kube-apiserver', 'restart of kube-apiserver', 'idle']) {
    assert.equal(refusedIn(phase, 'Impaired'), [], phase);
  }
  const starts = refusedIn('restart of kube-controller-manager, kube-scheduler and a kubelet', 'Impaired');
  assert.ok(starts.every((line) => / create events /.test(line)));
});

test.run();
