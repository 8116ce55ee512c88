import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Cluster } from '../../cli/cluster/cluster-file.ts';
import { findBinary } from '../../shared/binaries/find.ts';
import { EtcdClient } from '../etcd-client.ts';
import { newDataDir, newPortBase, removeDataDir, startCluster, stopCluster } from './start-cluster.ts';

// The life of a cluster of `npm start`: what it says, what it leaves behind, what it keeps.

interface Context {
  dataDir: string;
  portBase: number;
}
const test = suite<Context>('life of a loopback cluster');
const run = promisify(execFile);
const program = fileURLToPath(new URL('../../cli/cluster/start.js', import.meta.url));
const twonode = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

test.before((context) => {
  context.dataDir = newDataDir();
  context.portBase = newPortBase();
});
test.after(({ dataDir }) => removeDataDir(dataDir));

function allPids({ pid, nodes }: Cluster): number[] {
  return [pid, ...nodes.flatMap(({ pids }) => Object.values(pids))];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Waits for at most 30 s until none of the processes is there. */
async function allGone(pids: number[]): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (pids.some(isAlive)) {
    if (Date.now() > deadline) assert.unreachable(`still there: ${pids.filter(isAlive).join(', ')}`);
    await delay(20);
  }
}

function kubectl({ kubectl: program, nodes }: Cluster, node: number, ...args: string[]) {
  return run(program ?? 'kubectl', ['--kubeconfig', nodes[node]?.kubeconfig ?? '', ...args], {
    timeout: 30_000,
  });
}

/** Runs a command that is expected to fail; returns its exit status and stderr. */
async function failing(command: string, args: string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [status] = await once(child, 'close');
  return { status, stderr };
}

test('it says where everything is; Ctrl-C leaves no process', async ({ dataDir, portBase }) => {
  const started = await startCluster(dataDir, portBase);
  const cluster = started.read();
  for (const node of cluster.nodes) {
    for (const url of [node.etcd, node.webhook, node.metrics.shim, node.api ?? 'no api']) {
      assert.match(started.output(), url);
    }
    assert.equal(Object.keys(node.pids).sort(), [
      'kube-apiserver',
      'nats-server',
      'prober',
      'run',
      'shim',
      'webhook',
    ]);
    assert.is((await fetch(node.status)).status, 200);
    assert.match(await (await fetch(node.metrics.prober)).text(), 'process_cpu_seconds_total');
  }
  const { stdout } = await run(process.execPath, [twonode, 'status', '--data-dir', dataDir]);
  assert.match(stdout, 'Cluster is healthy');
  await kubectl(cluster, 0, 'create', 'configmap', 'kept', '--from-literal=by=the-first-start');

  const second = await failing(process.execPath, [program, '--data-dir', dataDir]);
  assert.match(second.stderr, `a cluster runs in ${dataDir} already`);
  const elsewhere = newDataDir();
  const samePorts = await failing(process.execPath, [
    program,
    '--data-dir',
    elsewhere,
    '--port-base',
    `${portBase}`,
  ]);
  removeDataDir(elsewhere);
  assert.match(samePorts.stderr, /^twonode: port \d+ on [\d.]+, .*, is in use by another program\n$/);

  const pids = allPids(started.read());
  assert.is(await stopCluster(started), 0);
  assert.equal(pids.filter(isAlive), []);
  assert.not(existsSync(join(dataDir, 'cluster.json')));
});

test('a second start keeps the data; kill -9 of it leaves no process either', async ({
  dataDir,
  portBase,
}) => {
  const started = await startCluster(dataDir, portBase);
  const cluster = started.read();
  const { stdout } = await kubectl(cluster, 1, 'get', 'configmap', 'kept', '-o', 'jsonpath={.data.by}');
  assert.is(stdout, 'the-first-start');
  started.process.kill('SIGKILL');
  await allGone(allPids(cluster));
});

test('after the kill it starts again with its data', async ({ dataDir, portBase }) => {
  const started = await startCluster(dataDir, portBase);
  const { stdout } = await kubectl(
    started.read(),
    0,
    'get',
    'configmap',
    'kept',
    '-o',
    'jsonpath={.data.by}',
  );
  assert.is(stdout, 'the-first-start');
  await stopCluster(started);
});

test('without a way to get kube-apiserver it runs the rest, and says how to point a k3s at it', async ({
  portBase,
}) => {
  const dataDir = newDataDir();
  const nowhere = newDataDir();
  const { PATH: _, ...environment } = process.env;
  const started = await startCluster(dataDir, portBase, {
    ...environment,
    // No Go there, and nothing in the cache.
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    TWONODE_CACHE: nowhere,
    TWONODE_NATS_SERVER: await findBinary('nats-server'),
  });
  assert.match(started.output(), '--datastore-endpoint=http://127.0.0.1:');
  const client = new EtcdClient(new URL(started.read().nodes[1]?.etcd ?? '').host);
  await client.put({ key: 'through-the-follower', value: 'x' });
  assert.is(await client.get('through-the-follower'), 'x');
  client.close();
  assert.is(await stopCluster(started), 0);
  removeDataDir(dataDir);
  removeDataDir(nowhere);
});

test.run();
