import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { restoreBand } from '../../services/shim/store/revision-band.ts';
import { findBinary } from '../../shared/binaries/find.ts';
import { EtcdClient } from '../etcd-client.ts';
import { startTwonodeEtcd, startTwonodeEtcdOn } from '../etcd-servers.ts';
import { eventually } from '../eventually.ts';
import { runProgram } from '../run-program.ts';
import { newDataDir, newPortBase, removeDataDir, startCluster, stopCluster } from './start-cluster.ts';

/** `twonode backup` and `twonode restore`, with etcdctl and with real kube-apiservers. */
const test = suite<{ folder: string }>('backup and restore');
const run = promisify(execFile);
const main = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const twonode = (...args: string[]) => runProgram(process.execPath, [main, ...args]);

test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-backup-'));
});
test.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

/** Everything that clients see of the keys. */
async function contents(client: EtcdClient) {
  return (await client.range({ key: '\0', rangeEnd: '\0' })).kvs;
}

test('what etcdctl saved is there again, further on', async ({ folder }) => {
  const file = join(folder, 'snapshot');
  const server = await startTwonodeEtcd();
  const client = new EtcdClient(server.address);
  await client.leaseGrant(600, 77n);
  for (let i = 0; i < 300; i++) await client.put({ key: `k/${i % 100}`, value: `${i} `.repeat(500) });
  await client.put({ key: 'leased', value: 'x', lease: 77n });
  await client.deleteRange({ key: 'k/7' });
  const before = await contents(client);
  const revision = (await client.range({ key: 'k' })).header?.revision ?? 0;
  const term = (await client.range({ key: 'k' })).header?.raftTerm ?? 0;
  await run(await findBinary('etcdctl'), ['--endpoints', server.address, 'snapshot', 'save', file]);
  await client.put({ key: 'after', value: 'the snapshot' });
  client.close();
  await server.stop();

  const dataDir = mkdtempSync(join(tmpdir(), 'twonode-restored-'));
  const { status, stdout, stderr } = await twonode('restore', file, '--data-dir', dataDir);
  assert.is(status, 0, stderr);
  assert.match(stdout, /^restored 100 keys into .*; the revision goes on at \d+\n$/);
  const restored = await startTwonodeEtcdOn(dataDir);
  const again = new EtcdClient(restored.address);
  assert.equal(await contents(again), before);
  const { header } = await again.range({ key: 'k' });
  assert.is(header?.revision, restoreBand(revision));
  assert.ok((header?.raftTerm ?? 0) > term, 'the term goes on');
  const old = await again.range({ key: 'k', revision }).catch((error: Error) => error.message);
  assert.match(String(old), 'required revision has been compacted');
  const watch = again.watch();
  watch.create({ key: 'k', startRevision: revision + 1 });
  await watch.next();
  assert.ok((await watch.next()).compactRevision > revision, 'clients list anew');
  const put = await again.put({ key: 'k/8', value: 'anew' });
  assert.is(put.header?.revision, restoreBand(revision) + 1);
  assert.is((await again.keepAliveOnce(77n)).ttl, 600);
  await again.leaseRevoke(77n);
  assert.is(await again.get('leased'), undefined);
  await restored.killAndRestart();
  const last = new EtcdClient(restored.address);
  assert.is(await last.get('k/8'), 'anew');
  for (const each of [again, last]) each.close();
  await restored.stop();
});

test('what cannot be used is refused in a sentence, and nothing is left behind', async ({ folder }) => {
  const file = join(folder, 'snapshot');
  const dataDir = join(folder, 'refused');
  const damaged = join(folder, 'damaged');
  const bytes = readFileSync(file);
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
  writeFileSync(damaged, bytes);
  const refusal = async (...args: string[]) => {
    const { status, stderr } = await twonode('restore', ...args);
    assert.is(status, 1);
    assert.is(stderr.trim().split('\n').length, 1, stderr);
    return stderr;
  };
  assert.match(
    await refusal(damaged, '--data-dir', dataDir),
    /damaged cannot be used: its checksum is wrong/,
  );
  writeFileSync(damaged, bytes.subarray(0, 10_000));
  assert.match(await refusal(damaged, '--data-dir', dataDir), /cannot be used: its checksum is wrong/);
  assert.match(await refusal('LICENSE', '--data-dir', dataDir), /it is no snapshot of twonode/);
  assert.match(await refusal(join(folder, 'none'), '--data-dir', dataDir), /none cannot be used: ENOENT/);
  assert.match(await refusal(file), /which store\?/);
  assert.not(existsSync(dataDir));
  assert.is((await twonode('restore', file, '--data-dir', dataDir)).status, 0);
  assert.match(await refusal(file, '--data-dir', dataDir), /nats is not empty/);
  assert.equal(readdirSync(dataDir), ['nats']);
});

test('both disks lost: restored on the leader, and the follower takes all of it', async ({ folder }) => {
  const dataDir = newDataDir();
  const portBase = newPortBase();
  const file = join(folder, 'cluster');
  const config = ['--config', join(dataDir, 'twonode.yaml')];
  const first = await startCluster(dataDir, portBase);
  const kubectl = async (node: number, ...args: string[]) => {
    const { kubectl: program, nodes } = first.read();
    const { stdout } = await run(program ?? 'kubectl', [
      '--kubeconfig',
      nodes[node]?.kubeconfig ?? '',
      ...args,
    ]);
    return stdout;
  };
  await kubectl(0, 'create', 'configmap', 'kept', '--from-literal=key=value');
  // Either node can be asked.
  const saved = await twonode('backup', file, ...config, '--node', 'node-b');
  assert.is(saved.status, 0, saved.stderr);
  assert.match((await twonode('backup', file, ...config, '--node', 'node-b')).stderr, /is there already/);
  await stopCluster(first);

  for (const node of ['node-a', 'node-b']) rmSync(join(dataDir, node), { recursive: true });
  const follower = await twonode('restore', file, ...config, '--node', 'node-b');
  assert.match(follower.stderr, /node-b is the follower: restore on node-a/);
  const restored = await twonode('restore', file, ...config, '--node', 'node-a');
  assert.is(restored.status, 0, restored.stderr);

  const second = await startCluster(dataDir, portBase);
  for (const node of [0, 1]) {
    const value = () => kubectl(node, 'get', 'configmap', 'kept', '-o', 'jsonpath={.data.key}');
    await eventually(
      () => value().catch((error: Error) => error.message),
      (now) => now === 'value',
    );
  }
  await kubectl(1, 'create', 'configmap', 'new', '--from-literal=key=value');
  assert.match((await twonode('status', '--data-dir', dataDir)).stdout, /node-b .*Follower/);
  await stopCluster(second);
  removeDataDir(dataDir);
});

test.run();
