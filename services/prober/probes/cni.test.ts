import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CniReading, type CniSettings, judgeCni, readCni } from './cni.ts';
import type { HttpReading } from './http.ts';

const dir = '/etc/cni/net.d';
const healthy: CniReading = {
  configDir: dir,
  files: ['10-flannel.conflist'],
  fault: '',
  interfaces: [],
  health: null,
  socket: null,
};
const answer = (status: number): HttpReading => ({ answered: true, status, body: '', durationMs: 1 });
const silence: HttpReading = { answered: false, timedOut: true, fault: '', durationMs: 1 };
const bridge = { interface: 'cni0', exists: true, flags: 1, operstate: 'up', carrier: 0, carrierChanges: 1 };

const cases: [string, Partial<CniReading>, string, string][] = [
  ['a configuration', {}, 'ok', ''],
  ['only other files', { files: ['README', 'x.conf.bak'] }, 'failed', `CNI: ${dir} holds no configuration`],
  ['an empty folder', { files: [] }, 'failed', `CNI: ${dir} holds no configuration`],
  ['no folder', { files: null, fault: 'ENOENT' }, 'failed', `CNI: ${dir} does not exist`],
  ['a closed folder', { files: null, fault: 'EACCES' }, 'failed', `CNI: ${dir} cannot be read (EACCES)`],
  ['an interface is broken', { interfaces: [bridge] }, 'failed', 'CNI: cni0: carrier lost'],
  ['a healthy agent', { health: answer(200), socket: { path: '/run/a.sock', fault: '' } }, 'ok', ''],
  ['an agent that is not', { health: answer(503) }, 'failed', 'CNI: its agent is not healthy (HTTP 503)'],
  ['a silent agent', { health: silence }, 'failed', 'CNI: its agent does not answer'],
  [
    'no agent',
    { health: { ...silence, timedOut: false, fault: 'ECONNREFUSED' } },
    'failed',
    'CNI: its agent: ECONNREFUSED',
  ],
  [
    'no socket',
    { socket: { path: '/run/a.sock', fault: 'ENOENT' } },
    'failed',
    'CNI: its agent: /run/a.sock (ENOENT)',
  ],
  [
    'a silent socket',
    { socket: { path: '/run/a.sock', fault: 'timeout' } },
    'failed',
    'CNI: its agent does not answer on /run/a.sock',
  ],
  ['no folder to check', { configDir: '', files: null }, 'ok', ''],
];

for (const [what, change, status, reason] of cases) {
  test(`CNI: ${what}`, () => {
    const verdict = judgeCni({ ...healthy, ...change });
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
  });
}

const nothing: CniSettings = { configDir: '', interfaces: [], timeout: 1_000 };

test('a folder that comes and goes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-cni-'));
  writeFileSync(join(folder, '10-test.conflist'), '{}');
  const settings = { ...nothing, configDir: folder };
  assert.is(judgeCni(await readCni(settings)).status, 'ok');
  rmSync(folder, { recursive: true });
  assert.is(judgeCni(await readCni(settings)).status, 'failed');
});

test('an agent that comes and goes, by its URL and by its socket', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-cni-'));
  const healthSocket = join(folder, 'agent.sock');
  const byUrl = createServer((_, response) =>
    response.writeHead(200, { connection: 'close' }).end('ok'),
  ).listen(0, '127.0.0.1');
  const bySocket = createServer().listen(healthSocket);
  await Promise.all([once(byUrl, 'listening'), once(bySocket, 'listening')]);
  const { port } = byUrl.address() as { port: number };
  const settings = { ...nothing, healthUrl: `http://127.0.0.1:${port}/healthz`, healthSocket };
  assert.is(judgeCni(await readCni(settings)).status, 'ok');
  bySocket.close();
  await once(bySocket, 'close');
  assert.is(judgeCni(await readCni(settings)).reason, `CNI: its agent: ${healthSocket} (ENOENT)`);
  byUrl.close();
  await once(byUrl, 'close');
  assert.is(judgeCni(await readCni(settings)).reason, 'CNI: its agent: ECONNREFUSED');
  rmSync(folder, { recursive: true });
});

test.run();
