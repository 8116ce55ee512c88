import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSnapshot } from '../../services/shim/snapshot.ts';
import { findBinary } from '../../shared/binaries/find.ts';
import { EtcdClient } from '../etcd-client.ts';
import { type EtcdServer, end, startTwonodeEtcd } from '../etcd-servers.ts';

/** `twonode etcd` with the real etcdctl. */

interface Context {
  server: EtcdServer;
  etcdctl: string;
}
const test = suite<Context>('twonode etcd with etcdctl');
const run = promisify(execFile);

test.before(async (context) => {
  context.etcdctl = await findBinary('etcdctl');
  context.server = await startTwonodeEtcd();
});
test.after(({ server }) => server.stop());

async function etcdctl({ etcdctl: program, server }: Context, ...args: string[]): Promise<string> {
  const { stdout } = await run(program, ['--endpoints', server.address, ...args], { timeout: 20_000 });
  return stdout.trim();
}

test('put, get, del', async (context) => {
  assert.is(await etcdctl(context, 'put', 'k', 'v1'), 'OK');
  assert.is(await etcdctl(context, 'put', 'k', 'v2', '--prev-kv'), 'OK\nk\nv1');
  assert.is(await etcdctl(context, 'get', 'k', '--print-value-only'), 'v2');
  assert.is(await etcdctl(context, 'get', 'k', '--rev', '2', '--print-value-only'), 'v1');
  assert.is(await etcdctl(context, 'del', 'k', '--prev-kv'), '1\nk\nv2');
});

test('txn', async ({ etcdctl: program, server }) => {
  const child = spawn(program, ['--endpoints', server.address, 'txn']);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stdin.end('mod("t") = "0"\n\nput t created\nget t\n\nget t\n\n');
  await once(child, 'close');
  assert.is(output.trim(), 'SUCCESS\n\nOK\n\nt\ncreated');
});

test('watch', async (context) => {
  const child = spawn(context.etcdctl, [
    '--endpoints',
    context.server.address,
    'watch',
    'w/',
    '--prefix',
    '--rev',
    '1',
  ]);
  let output = '';
  const complete = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk) => {
      output += chunk;
      if (output.includes('DELETE')) resolve();
    });
  });
  await etcdctl(context, 'put', 'w/1', 'x');
  await etcdctl(context, 'del', 'w/1');
  await complete;
  assert.is(output.trim(), 'PUT\nw/1\nx\nDELETE\nw/1');
  child.kill();
});

test('lease: grant, attach, time to live, list, expiry, revoke', async (context) => {
  const granted = await etcdctl(context, 'lease', 'grant', '1');
  const id = /lease ([0-9a-f]+) granted with TTL\(2s\)/.exec(granted)?.[1] ?? granted;
  const client = new EtcdClient(context.server.address);
  const watch = client.watch();
  watch.create({
    key: 'leased',
    rangeEnd: '',
    startRevision: 0,
    progressNotify: false,
    filters: [0],
    prevKv: false,
    watchId: 0,
    fragment: false,
  });
  assert.ok((await watch.next()).created);
  await etcdctl(context, 'put', 'leased', 'x', `--lease=${id}`);
  const [deletion] = (await watch.next()).events;
  assert.is(deletion?.kv?.key, 'leased');
  client.close();
  const longer = /lease ([0-9a-f]+)/.exec(await etcdctl(context, 'lease', 'grant', '100'))?.[1] ?? '';
  await etcdctl(context, 'put', 'leased', 'x', `--lease=${longer}`);
  assert.match(
    await etcdctl(context, 'lease', 'timetolive', longer, '--keys'),
    /granted with TTL\(100s\), remaining\(\d+s\), attached keys\(\[leased\]\)/,
  );
  assert.match(await etcdctl(context, 'lease', 'keep-alive', '--once', longer), 'keepalived with TTL(100)');
  assert.match(await etcdctl(context, 'lease', 'list'), longer);
  assert.match(await etcdctl(context, 'lease', 'revoke', longer), 'revoked');
  assert.is(await etcdctl(context, 'get', 'leased'), '');
});

test('lock and elect, which are made of keys, leases and watches', async (context) => {
  assert.is(await etcdctl(context, 'lock', 'mutex', 'echo', 'held'), 'held');
  assert.is(await etcdctl(context, 'lock', 'mutex', 'echo', 'held again'), 'held again');
  const elect = (...args: string[]) =>
    spawn(context.etcdctl, ['--endpoints', context.server.address, 'elect', ...args]);
  const [leader, observer] = [elect('vote', 'me'), elect('-l', 'vote')];
  for (const child of [leader, observer]) {
    let output = '';
    for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
      output += chunk;
      if (/^vote\/[0-9a-f]+\nme\n/.test(output)) break;
    }
    assert.match(output, /^vote\/[0-9a-f]+\nme\n/);
  }
  for (const child of [observer, leader]) await end(child, 'SIGINT');
});

test('endpoint status, health, member list, compaction', async (context) => {
  assert.match(await etcdctl(context, 'endpoint', 'status'), /, 3\.6\.8, /);
  const health = JSON.parse(await etcdctl(context, 'endpoint', 'health', '-w', 'json')) as {
    health: boolean;
  }[];
  assert.is(health[0]?.health, true);
  assert.match(await etcdctl(context, 'member', 'list'), 'started');
  assert.is(await etcdctl(context, 'compaction', '3'), 'compacted revision 3');
  const old = await etcdctl(context, 'get', 'k', '--rev', '2').catch(
    (error: { stderr: string }) => error.stderr,
  );
  assert.match(old, 'etcdserver: mvcc: required revision has been compacted');
});

test('snapshot save', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-snapshot-'));
  const file = join(folder, 'snapshot');
  const client = new EtcdClient(context.server.address);
  for (let i = 0; i < 3; i++) await client.put({ key: `snap/${i}`, value: 'x'.repeat(1024 * 1024) });
  client.close();
  assert.match(await etcdctl(context, 'snapshot', 'save', file), 'Snapshot saved at');
  const { store } = readSnapshot(readFileSync(file));
  assert.is(store.count({ key: 'snap/', end: 'snap0', revision: store.visible }), 3);
  rmSync(folder, { recursive: true });
});

test('a full store: alarm, deletions, compaction, disarm', async (context) => {
  const server = await startTwonodeEtcd('--quota-backend-bytes', String(8 * 1024 * 1024));
  const full = { ...context, server };
  const client = new EtcdClient(server.address);
  const value = 'x'.repeat(64 * 1024);
  let refusal = '';
  for (let i = 0; refusal === ''; i++) {
    await client.put({ key: `fill/${i}`, value }).catch((error: Error) => {
      refusal = error.message;
    });
  }
  assert.match(refusal, 'RESOURCE_EXHAUSTED: etcdserver: mvcc: database space exceeded');
  assert.match(await etcdctl(full, 'alarm', 'list'), /^memberID:\d+ alarm:NOSPACE/);
  assert.match(await etcdctl(full, 'endpoint', 'status', '-w', 'json'), 'alarm:NOSPACE');
  assert.is(await etcdctl(full, 'get', 'fill/1', '--print-value-only'), value);
  await server.killAndRestart();
  assert.match(await etcdctl(full, 'alarm', 'list'), 'NOSPACE');
  assert.ok(Number(await etcdctl(full, 'del', 'fill/', '--prefix')) > 100);
  const { header } = await client.range({ key: 'fill' });
  await etcdctl(full, 'compaction', String(header?.revision));
  await etcdctl(full, 'defrag');
  assert.match(await etcdctl(full, 'alarm', 'disarm'), 'NOSPACE');
  assert.is(await etcdctl(full, 'alarm', 'list'), '');
  assert.is(await etcdctl(full, 'put', 'again', 'yes'), 'OK');
  client.close();
  await server.stop();
});

test('a restart keeps everything; SIGTERM stops the shim and its nats-server', async (context) => {
  await etcdctl(context, 'put', 'kept', 'yes');
  await context.server.killAndRestart();
  assert.is(await etcdctl(context, 'get', 'kept', '--print-value-only'), 'yes');
  const { child, dataDir } = context.server;
  await end(child, 'SIGTERM');
  assert.is(child.exitCode, 0);
  const { stdout } = await run('pgrep', ['-f', dataDir]).catch((error: { stdout: string }) => error);
  assert.is(stdout, '');
});

test.run();
