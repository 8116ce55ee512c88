import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { z } from 'zod';
import { type EtcdServer, startRealEtcd, startTwonodeEtcd } from '../etcd-servers.ts';

/**
 * Kubernetes' own calls on a real etcd and on `twonode etcd`, in turn, from a client in another process (tools/etcd/load).
 * Prints medians of all rounds as a Markdown table, and how twonode stands to etcd. `--keys N`, `--rounds N`.
 */
const run = promisify(execFile);
const repository = process.cwd();

/** An operation, and how many calls of it one round makes; `keys` stands for one call for each key. */
interface Row {
  op: string;
  callers: number;
  calls: number | 'keys';
}

/** In the order of their run: what is created is used by what follows, and deleted at the end. */
const rows: Row[] = [
  { op: 'create', callers: 100, calls: 'keys' },
  { op: 'update', callers: 100, calls: 'keys' },
  { op: 'update', callers: 1, calls: 1_000 },
  { op: 'get', callers: 100, calls: 'keys' },
  { op: 'get', callers: 1, calls: 2_000 },
  { op: 'list500', callers: 100, calls: 1_000 },
  { op: 'listall', callers: 1, calls: 10 },
  { op: 'count', callers: 100, calls: 2_000 },
  { op: 'watch', callers: 100, calls: 2_000 },
  { op: 'delete', callers: 100, calls: 'keys' },
];

const resultSchema = z.object({ perSecond: z.number(), p50Ms: z.number(), p99Ms: z.number() });
type Result = z.infer<typeof resultSchema>;

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function buildLoad(folder: string): Promise<string> {
  const binary = join(folder, 'load');
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' };
  await run('go', ['build', '-o', binary, './load'], { cwd: join(repository, 'tools/etcd'), env });
  return binary;
}

async function measure(load: string, server: EtcdServer, row: Row, keys: number): Promise<Result> {
  const calls = row.calls === 'keys' ? keys : Math.min(row.calls, keys);
  const flags = { endpoint: server.address, op: row.op, callers: row.callers, keys, n: calls };
  const { stdout } = await run(
    load,
    Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)]),
  );
  return resultSchema.parse(JSON.parse(stdout));
}

/** Resident memory in MiB of a process and all below it. */
function residentMiB(root: number): number {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended meanwhile.
    }
  }
  const sum = (pid: number): number => {
    const own = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    return (children.get(pid) ?? []).reduce((total, child) => total + sum(child), own);
  };
  return sum(root);
}

function bytesOnDisk(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((total, entry) => total + statSync(join(entry.parentPath, entry.name)).blocks * 512, 0);
}

async function restartMs(server: EtcdServer): Promise<number> {
  const startedMs = performance.now();
  await server.killAndRestart();
  return performance.now() - startedMs;
}

const { values } = parseArgs({
  options: { keys: { type: 'string', default: '20000' }, rounds: { type: 'string', default: '3' } },
});
const [keys, rounds] = [Number(values.keys), Number(values.rounds)];
if (![keys, rounds].every((value) => Number.isInteger(value) && value > 0)) {
  console.error('npm run bench: --keys and --rounds are whole numbers above 0');
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'twonode-bench-'));
const load = await buildLoad(folder);
const servers = { etcd: await startRealEtcd(), twonode: await startTwonodeEtcd() };
type Name = keyof typeof servers;
const names: Name[] = ['etcd', 'twonode'];
const results = new Map<Row, Record<Name, Result[]>>(rows.map((row) => [row, { etcd: [], twonode: [] }]));
const sizes: Record<Name, { residentMiB: number; diskMiB: number; restartMs: number }> = {
  etcd: { residentMiB: 0, diskMiB: 0, restartMs: 0 },
  twonode: { residentMiB: 0, diskMiB: 0, restartMs: 0 },
};
for (let round = 0; round < rounds; round++) {
  for (const row of rows) {
    // In the last round, what stands in the store is looked at before it is deleted.
    if (row.op === 'delete' && round === rounds - 1) {
      for (const name of names) {
        const server = servers[name];
        sizes[name] = {
          residentMiB: residentMiB(server.child.pid ?? 0),
          diskMiB: bytesOnDisk(server.dataDir) / 1024 ** 2,
          restartMs: await restartMs(server),
        };
      }
    }
    // Each goes first every other time.
    for (const name of round % 2 === 0 ? names : [...names].reverse())
      results.get(row)?.[name].push(await measure(load, servers[name], row, keys));
  }
  console.error(`round ${round + 1} of ${rounds} is done`);
}
for (const name of names) await servers[name].stop();
rmSync(folder, { recursive: true });

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(2));
console.log(`${keys} keys of 1 KiB, medians of ${rounds} rounds\n`);
console.log(
  '| call | callers | etcd /s | twonode /s | ratio | etcd p50/p99 ms | twonode p50/p99 ms | p50 ratio |',
);
console.log('|---|---|---|---|---|---|---|---|');
for (const [{ op, callers }, { etcd, twonode }] of results) {
  const of = (list: Result[], field: keyof Result) => median(list.map((result) => result[field]));
  const rate = [of(etcd, 'perSecond'), of(twonode, 'perSecond')] as const;
  const p50 = [of(etcd, 'p50Ms'), of(twonode, 'p50Ms')] as const;
  const p99 = [of(etcd, 'p99Ms'), of(twonode, 'p99Ms')] as const;
  const cells = [op, callers, digits(rate[0]), digits(rate[1]), digits(rate[1] / rate[0])];
  const times = [`${digits(p50[0])} / ${digits(p99[0])}`, `${digits(p50[1])} / ${digits(p99[1])}`];
  console.log(`| ${[...cells, ...times, digits(p50[1] / p50[0])].join(' | ')} |`);
}
console.log('\n| | etcd | twonode | ratio |\n|---|---|---|---|');
for (const [title, field] of [
  ['resident memory of all processes, MiB', 'residentMiB'],
  ['on disk, MiB', 'diskMiB'],
  ['restart after SIGKILL, ms', 'restartMs'],
] as const) {
  const [etcd, twonode] = [sizes.etcd[field], sizes.twonode[field]];
  console.log(`| ${title} | ${digits(etcd)} | ${digits(twonode)} | ${digits(twonode / etcd)} |`);
}
