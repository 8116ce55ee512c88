import { Registry } from 'prom-client';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Board } from './board.ts';
import { ProberMetrics } from './metrics.ts';
import { ok } from './verdict.ts';

test('what a check measured last is in the metrics: its numbers, and nothing else', async () => {
  const registry = new Registry();
  const board = new Board(
    { node: 'node-a', bootId: 'boot' },
    { v: 1, boot_id: 'boot', checks: {}, ever_healthy: [] },
  );
  new ProberMetrics(registry, () => board.signals());
  const nic = { area: 'local', check: 'nic', severity: 'fatal' } as const;
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

test.run();
