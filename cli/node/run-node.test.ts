import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadConfiguration } from '../../shared/config/load.ts';
import { freePort } from '../../shared/process/ports.ts';
import { ensureClusterKey, markNewCluster } from './init.ts';
import type { RunMessage } from './services.ts';

const test = suite<{ folder: string; child: ChildProcess }>('twonode run');
const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
const limitMs = 60_000;

test.before.each(async (context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-run-'));
  const file = join(context.folder, 'twonode.json');
  writeFileSync(file, await configuration(context.folder));
  const config = loadConfiguration(file);
  ensureClusterKey(join(context.folder, 'cluster.key'));
  markNewCluster(config, 'node-a');
  context.child = spawn(process.execPath, [program, 'run', '--config', file, '--node', 'node-a'], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
});
test.after.each(async ({ folder, child }) => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  rmSync(folder, { recursive: true });
});

/** Every port of node-a is a free one: other nodes may run on this machine. */
async function configuration(dataDir: string): Promise<string> {
  const names = ['etcd', 'nats', 'monitoring', 'leaf', 'beat', 'api', 'webhook', 'shimMetrics'];
  const ports: Record<string, number> = {};
  for (const name of [...names, 'proberMetrics', 'webhookMetrics']) ports[name] = await freePort();
  return JSON.stringify({
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'test',
    dataDir,
    logLevel: 'error',
    nodes: [
      { name: 'node-a', role: 'leader', address: '127.0.0.1', ports },
      { name: 'node-b', role: 'follower', address: '127.0.0.2' },
    ],
    probes: { northSouth: [{ name: 'gateway', address: '127.0.0.1' }] },
  });
}

/** The first message for which it is so. */
async function message(child: ChildProcess, isIt: (message: RunMessage) => boolean): Promise<RunMessage> {
  const signal = AbortSignal.timeout(limitMs);
  const exited = once(child, 'exit', { signal }).then(() => Promise.reject(new Error('it ended')));
  const heard = async () => {
    for (;;) {
      const [said] = (await once(child, 'message', { signal })) as [RunMessage];
      if (isIt(said)) return said;
    }
  };
  return Promise.race([heard(), exited]);
}

test('a service that ends before it was up is started again', async ({ child }) => {
  const started = await message(child, ({ pids }) => pids.shim !== undefined);
  assert.is(started.up, false);
  const first = started.pids.shim ?? 0;
  process.kill(first, 'SIGKILL');
  const { pids } = await message(child, ({ up }) => up);
  assert.type(pids.shim, 'number');
  assert.is.not(pids.shim, first);
});

test.run();
