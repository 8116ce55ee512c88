import { findBinary } from '../../shared/binaries/find.ts';
import {
  newDataDir,
  newPortBase,
  removeDataDir,
  type StartedCluster,
  startCluster,
  stopCluster,
} from '../e2e/start-cluster.ts';
import { EtcdClient } from '../etcd-client.ts';
import { diskMiB, ownResidentMiB } from './processes.ts';
import { median } from './report.ts';

const valueBytes = 1024;
const callers = 100;
const reports = 20;
/** Revisions that stay readable behind each compaction. */
const history = 1_000;
/** How long the first answer after a restart may take, in milliseconds. */
const answerLimitMs = 60_000;
const answerPollMs = 10;
const restarts = 3;

/** How much a few keys are written, and how often the history is compacted. */
export interface ChurnOptions {
  keys: number;
  updates: number;
  /** Updates between two compactions. */
  compactEvery: number;
}

/**
 * A few keys updated again and again on two whole nodes, with compactions in between. Prints, over time, what the log and the
 * memory of both nodes take, and at the end how long each takes to serve again after SIGKILL of its shim and its nats-server,
 * as Markdown.
 */
export async function benchChurn(options: ChurnOptions): Promise<void> {
  const folders = { dataDir: newDataDir(), nowhere: newDataDir() };
  const started = await startWithoutKubernetes(folders);
  try {
    console.log(
      `${options.updates} updates of ${options.keys} keys of 1 KiB, a compaction every ${options.compactEvery}\n`,
    );
    console.log(
      '| updates | seconds | leader: log MiB | on disk MiB | shim RSS MiB | nats RSS MiB | follower: log MiB | on disk MiB | shim RSS MiB | nats RSS MiB |',
    );
    console.log(`|${'---|'.repeat(10)}`);
    await churn(started, folders.dataDir, options);
    for (const name of ['node-a', 'node-b']) await timeRestarts(started, name);
  } finally {
    await stopCluster(started);
    removeDataDir(folders.dataDir);
    removeDataDir(folders.nowhere);
  }
}

/** Both nodes, without kube-apiservers: there is no Go there to build one with. */
async function startWithoutKubernetes(folders: {
  dataDir: string;
  nowhere: string;
}): Promise<StartedCluster> {
  return startCluster(folders.dataDir, newPortBase(), {
    ...process.env,
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    TWONODE_CACHE: folders.nowhere,
    TWONODE_NATS_SERVER: await findBinary('nats-server'),
  });
}

function nodeOf(started: StartedCluster, name: string) {
  const node = started.read().nodes.find((each) => each.name === name);
  if (!node) throw new Error(`there is no ${name}`);
  return node;
}

async function churn(started: StartedCluster, dataDir: string, options: ChurnOptions): Promise<void> {
  const { keys, updates, compactEvery } = options;
  const client = new EtcdClient(new URL(nodeOf(started, 'node-a').etcd).host);
  const startedMs = performance.now();
  let done = 0;
  let revision = 0;
  const caller = async () => {
    while (done < updates) {
      const i = done++;
      const value = `${i} `.padEnd(valueBytes, 'x');
      const { header } = await client.put({ key: `/churn/${i % keys}`, value });
      revision = Math.max(revision, header?.revision ?? 0);
      if (i % compactEvery === compactEvery - 1) await client.compact(revision - history);
    }
  };
  const running = Promise.all(Array.from({ length: callers }, caller));
  for (let report = 1; report <= reports; report++) {
    await reached(() => done >= (updates * report) / reports, running);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
    const cells = [done, seconds];
    for (const name of ['node-a', 'node-b']) cells.push(...(await sizes(started, dataDir, name)));
    console.log(`| ${cells.join(' | ')} |`);
  }
  await running;
  client.close();
}

/** Resolves when it is so, or when the writers have ended. @throws what ended them */
async function reached(isSo: () => boolean, running: Promise<unknown>): Promise<void> {
  while (!isSo()) {
    const ended = await Promise.race([
      running.then(() => true),
      new Promise((resolve) => setTimeout(resolve, 50, false)),
    ]);
    if (ended) return;
  }
}

async function sizes(started: StartedCluster, dataDir: string, name: string): Promise<string[]> {
  const { metrics, pids } = nodeOf(started, name);
  const text = await (await fetch(metrics.shim)).text();
  const logBytes = Number(/^etcd_mvcc_db_total_size_in_bytes (\S+)/m.exec(text)?.[1]);
  const found = [
    logBytes / 1024 ** 2,
    diskMiB(`${dataDir}/${name}`),
    ownResidentMiB(pids.shim ?? 0),
    ownResidentMiB(pids['nats-server'] ?? 0),
  ];
  return found.map((value) => value.toFixed(0));
}

/** SIGKILL of what holds the data, until the first linearizable answer: supervisors, verification and replay included. */
async function timeRestarts(started: StartedCluster, name: string): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < restarts; i++) {
    const { pids, etcd } = nodeOf(started, name);
    const startedMs = performance.now();
    for (const pid of [pids.shim, pids['nats-server']]) if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await answers(new URL(etcd).host);
    times.push(performance.now() - startedMs);
  }
  const seconds = times.map((time) => (time / 1_000).toFixed(2)).join(', ');
  console.log(
    `\n${name}: ${(median(times) / 1_000).toFixed(2)} s from SIGKILL to the first answer (${seconds})`,
  );
}

async function answers(host: string): Promise<void> {
  const deadline = performance.now() + answerLimitMs;
  for (;;) {
    const client = new EtcdClient(host);
    const answered = await client.get('/churn/0').then(
      (value) => value !== undefined,
      () => false,
    );
    client.close();
    if (answered) return;
    if (performance.now() > deadline) throw new Error(`${host} does not serve again`);
    await new Promise((resolve) => setTimeout(resolve, answerPollMs));
  }
}
