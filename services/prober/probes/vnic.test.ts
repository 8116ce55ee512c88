import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NicReading } from './nic.ts';
import { judgeInterfaces } from './vnic.ts';

const nic = (name: string, change: Partial<NicReading> = {}): NicReading => ({
  interface: name,
  exists: true,
  flags: 1,
  operstate: 'up',
  carrier: 1,
  carrierChanges: 1,
  ...change,
});

test('all up', () => {
  assert.is(judgeInterfaces([nic('eth0.5'), nic('eth0.6')]).status, 'ok');
});

test('the reason names every broken one', () => {
  const verdict = judgeInterfaces([
    nic('eth0.5', { exists: false }),
    nic('eth0.6'),
    nic('vf1', { carrier: 0 }),
  ]);
  assert.is(verdict.status, 'failed');
  assert.is(verdict.reason, 'eth0.5: no such interface, vf1: carrier lost');
});

test.run();
