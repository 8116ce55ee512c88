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

test('LeaderRX: nothing is refused when the control plane starts again, is idle, or loses a node', () => {
  for (const phase of [
    'first start of kube-apiserver',
    'restart of kube-apiserver',
    'idle',
    'restart of kube-controller-manager, kube-scheduler and a kubelet',
    'a node is lost',
  ]) {
    assert.ok(linesOf(phase).length > 0, phase);
    assert.equal(
      linesOf(phase).filter((line) => line.includes('LeaderRX: no;')),
      [],
      phase,
    );
  }
});

test.run();
