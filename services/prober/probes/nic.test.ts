import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { judgeNic, type NicReading, probeNic, readNic } from './nic.ts';

const up: NicReading = {
  interface: 'eth0',
  exists: true,
  flags: 0x1003,
  operstate: 'up',
  carrier: 1,
  carrierChanges: 2,
};

const cases: [string, Partial<NicReading>, string, string, unknown][] = [
  ['up', {}, 'ok', '', undefined],
  ['veth, tun and lo say unknown', { operstate: 'unknown' }, 'ok', '', undefined],
  ['carrier lost', { carrier: 0, operstate: 'down' }, 'failed', 'eth0: carrier lost', 'carrier'],
  [
    'the peer of a veth is down',
    { carrier: 0, operstate: 'lowerlayerdown' },
    'failed',
    'eth0: carrier lost',
    'carrier',
  ],
  ['not yet associated', { operstate: 'dormant' }, 'failed', 'eth0: dormant', 'carrier'],
  [
    'admin down: carrier is EINVAL',
    { flags: 0x1002, carrier: null, operstate: 'down' },
    'failed',
    'eth0: administratively down',
    'admin',
  ],
  [
    'gone',
    { exists: false, flags: null, carrier: null, operstate: null },
    'failed',
    'eth0: no such interface',
    'missing',
  ],
];

for (const [what, change, status, reason, kind] of cases) {
  test(`NIC: ${what}`, () => {
    const verdict = judgeNic({ ...up, ...change });
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
    assert.is(verdict.value.kind, kind);
  });
}

test('the reading of a sysfs folder', () => {
  const root = mkdtempSync(join(tmpdir(), 'twonode-sysfs-'));
  const folder = join(root, 'eth7');
  mkdirSync(folder);
  const files = { flags: '0x1003', operstate: 'up', carrier: '1', carrier_changes: '9' };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), `${text}\n`);
  assert.equal(readNic(root, 'eth7'), { ...up, interface: 'eth7', carrierChanges: 9 });
  assert.is(readNic(root, 'eth8').exists, false);
  rmSync(root, { recursive: true });
});

test('the value says what lost carrier means', async () => {
  const verdict = await probeNic('no-such-interface', 'joint');
  assert.is(verdict.value.carrier_loss, 'joint');
});

test.run();
