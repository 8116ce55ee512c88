import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CniReading, judgeCni, readCni } from './cni.ts';

const dir = '/etc/cni/net.d';
const healthy: CniReading = { configDir: dir, files: ['10-flannel.conflist'], fault: '', interfaces: [] };
const bridge = { interface: 'cni0', exists: true, flags: 1, operstate: 'up', carrier: 0, carrierChanges: 1 };

const cases: [string, Partial<CniReading>, string, string][] = [
  ['a configuration', {}, 'ok', ''],
  ['only other files', { files: ['README', 'x.conf.bak'] }, 'failed', `CNI: ${dir} holds no configuration`],
  ['an empty folder', { files: [] }, 'failed', `CNI: ${dir} holds no configuration`],
  ['no folder', { files: null, fault: 'ENOENT' }, 'failed', `CNI: ${dir} does not exist`],
  ['a closed folder', { files: null, fault: 'EACCES' }, 'failed', `CNI: ${dir} cannot be read (EACCES)`],
  ['an interface is broken', { interfaces: [bridge] }, 'failed', 'CNI: cni0: carrier lost'],
  ['no folder to check', { configDir: '', files: null }, 'ok', ''],
];

for (const [what, change, status, reason] of cases) {
  test(`CNI: ${what}`, () => {
    const verdict = judgeCni({ ...healthy, ...change });
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
  });
}

test('a folder that comes and goes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-cni-'));
  writeFileSync(join(folder, '10-test.conflist'), '{}');
  assert.is(judgeCni(await readCni(folder, [])).status, 'ok');
  rmSync(folder, { recursive: true });
  assert.is(judgeCni(await readCni(folder, [])).status, 'failed');
});

test.run();
