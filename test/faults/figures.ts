import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findBinary } from '../../shared/binaries/find.ts';
import { eventually } from '../eventually.ts';
import { addresses, type NodeName, nodeNames } from './network.ts';
import { recordsPrefix, type Site } from './site.ts';
import { withSite } from './with-site.ts';

// What the second copy costs: writes with `ack: both` and `ack: local` beside a real two-member etcd on the same two nodes and the same
// link, and how far the follower is behind meanwhile.

const run = promisify(execFile);
const tools = fileURLToPath(new URL('../../../tools/etcd', import.meta.url));
const peerPort = 2_380;
const keys = 5_000;
const oneCallerCalls = 1_000;
const lagWrites = 400;
const lagPauseMs = 20;
const settleMs = 2_000;

interface Result {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/** Prints both tables. */
export async function runFigures(keepLogs: boolean): Promise<void> {
  const local = await withSite({ ack: 'local', keepLogs }, async (site) =>
    measure(site, 'node-a', await buildLoad(site)),
  );
  await withSite({ keepLogs }, async (site) => {
    const load = await buildLoad(site);
    const idle = await lag(site);
    const [loaded, twonode] = await Promise.all([lag(site), measure(site, 'node-a', load)]);
    console.log('| lag of the mirror | p50 ms | p99 ms | max ms |\n|---|---|---|---|');
    printLag('nothing else', idle);
    printLag('under the load below', loaded);
    for (const node of nodeNames) site.machines[node].powerOff();
    const etcd = await measure(site, await startEtcd(site), load);
    console.log(
      '\n| | create/s, 100 callers | p50 ms | p99 ms | one caller, p50 ms | p99 ms |\n|---|---|---|---|---|---|',
    );
    printWrites('twonode, ack: both', twonode);
    printWrites('twonode, ack: local', local);
    printWrites('etcd, two members', etcd);
  });
}

/** @returns path of the program that writes */
async function buildLoad(site: Site): Promise<string> {
  const load = join(site.folder, 'load');
  await run('go', ['build', '-o', load, './load'], { cwd: tools, env: { ...process.env, CGO_ENABLED: '0' } });
  return load;
}

function printLag(what: string, sorted: number[]): void {
  const at = (part: number) => (sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(1);
  console.log(`| ${what} | ${at(0.5)} | ${at(0.99)} | ${at(1)} |`);
}

function printWrites(what: string, [many, one]: [Result, Result]): void {
  const columns = [many.perSecond.toFixed(0), many.p50Ms, many.p99Ms, one.p50Ms, one.p99Ms];
  console.log(`| ${[what, ...columns].join(' | ')} |`);
}

/** From the acknowledgement on the leader until a watch on the follower shows the write, in milliseconds, sorted; below 0: before it. */
async function lag({ machines }: Site): Promise<number[]> {
  const prefix = `${recordsPrefix}lag/${Date.now()}/`;
  await machines['node-b'].client.startWatch(prefix);
  const written = await machines['node-a'].client.timedPuts(prefix, lagWrites, lagPauseMs);
  await delay(settleMs);
  const seen = new Map(await machines['node-b'].client.stopWatch());
  const missing = written.filter(([key]) => !seen.has(key));
  if (missing.length > 0) throw new Error(`the watch on the follower missed ${missing.length} writes`);
  return written.map(([key, ackedMs]) => (seen.get(key) ?? 0) - ackedMs).sort((one, other) => one - other);
}

/** Creates with 100 callers, then updates with one, of 1 KiB, through the etcd port of a node. */
async function measure(site: Site, node: NodeName, load: string): Promise<[Result, Result]> {
  const once = async (op: string, callers: number, calls: number): Promise<Result> => {
    // Beside it run kube-apiservers: of keys that they watch they would list all again and again, since the values are no objects.
    const prefix = `${recordsPrefix}load/`;
    const flags = { endpoint: '127.0.0.1:2379', op, callers, keys, n: calls, prefix };
    const args = Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)]);
    const { stdout } = await run('ip', ['netns', 'exec', site.network.namespace(node), load, ...args]);
    return JSON.parse(stdout);
  };
  return [await once('create', 100, keys), await once('update', 1, oneCallerCalls)];
}

/** A member on each node, with its data where twonode had its own. @returns the node of the leader */
async function startEtcd(site: Site): Promise<NodeName> {
  const binary = await findBinary('etcd');
  const peer = (node: NodeName) => `http://${addresses[node]}:${peerPort}`;
  const cluster = nodeNames.map((node) => `${node}=${peer(node)}`).join(',');
  for (const node of nodeNames) {
    const clientUrl = 'http://127.0.0.1:2379';
    const flags = {
      name: node,
      'data-dir': `${site.machines[node].store}-etcd`,
      'listen-peer-urls': peer(node),
      'initial-advertise-peer-urls': peer(node),
      'listen-client-urls': clientUrl,
      'advertise-client-urls': clientUrl,
      'initial-cluster': cluster,
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    site.machines[node].run('etcd.log', [binary, ...args]);
  }
  const etcdctl = await findBinary('etcdctl');
  const leads = async (node: NodeName) => {
    const args = ['netns', 'exec', site.network.namespace(node), etcdctl, 'endpoint', 'status', '-w', 'json'];
    const answer = await run('ip', args).catch(() => null);
    const [status] = answer ? JSON.parse(answer.stdout) : [];
    return (
      status !== undefined &&
      status.Status.leader !== 0 &&
      status.Status.leader === status.Status.header.member_id
    );
  };
  const leader = await eventually(
    async () => ((await leads('node-a')) ? 'node-a' : (await leads('node-b')) ? 'node-b' : null),
    (node) => node !== null,
  );
  return leader ?? 'node-a';
}
