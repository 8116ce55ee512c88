import { Registry } from 'prom-client';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Board } from './board.ts';
import { ProberMetrics } from './metrics.ts';
import { ok } from './verdict.ts';

const nic = { area: 'local', check: 'nic', severity: 'fatal' } as const;

function metricsOf() {
  const registry = new Registry();
  const board = new Board(
    { node: 'node-a', bootId: 'boot' },
    { v: 1, boot_id: 'boot', checks: {}, ever_healthy: [] },
  );
  new ProberMetrics(registry, () => board.signals());
  return { registry, board };
}

test('what a check measured last is in the metrics: its numbers, and nothing else', async () => {
  const { registry, board } = metricsOf();
  board.record(nic, ok({ interface: 'eth0', carrier: 1, carrier_changes: 6, rtt_ms: null }), 0);
  board.record(nic, ok({ interface: 'eth0', carrier: 1, carrier_changes: 7 }), 1);
  const lines = (await registry.metrics())
    .split('\n')
    .filter((line) => line.startsWith('twonode_probe_value{'));
  assert.equal(lines, [
    'twonode_probe_value{area="local",check="nic",name="carrier"} 1',
    'twonode_probe_value{area="local",check="nic",name="carrier_changes"} 7',
  ]);
});

test('each of several interfaces has its flap counter in the metrics, and so has what lies deeper', async () => {
  const { registry, board } = metricsOf();
  const interfaces = ['eth0.5', 'vf1'].map((name, index) => ({
    interface: name,
    carrier: null,
    carrier_changes: index,
  }));
  board.record({ ...nic, check: 'vnic' }, ok({ interfaces, names: ['eth0.5'] }), 0);
  board.record({ ...nic, area: 'eastwest', check: 'beat' }, ok({ rejected: { forged: 3 } }), 0);
  const text = await registry.metrics();
  assert.match(text, /twonode_probe_value\{area="local",check="vnic",name="eth0\.5\.carrier_changes"\} 0\n/);
  assert.match(text, /twonode_probe_value\{area="local",check="vnic",name="vf1\.carrier_changes"\} 1\n/);
  assert.match(text, /twonode_probe_value\{area="eastwest",check="beat",name="rejected\.forged"\} 3\n/);
  assert.is(text.match(/twonode_probe_value\{/g)?.length, 3);
});

test.run();
