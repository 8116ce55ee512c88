import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { type Row, rows } from './goals.ts';
import { diskMiB, residentMiB } from './processes.ts';
import { type Measured, median, report } from './report.ts';
import { type System, type SystemName, starters } from './systems.ts';

const run = promisify(execFile);
const repository = process.cwd();
/** A kind of call is made for no longer than this, in seconds: one system is very slow at some, and its rate tells anyway. */
const limitSeconds = 30;
/** What is created must be there, and deleted again, however long it takes. */
const unlimited: readonly Row['op'][] = ['create', 'delete'];
const resultSchema = z.object({ perSecond: z.number(), p50Ms: z.number(), p99Ms: z.number() });
type Result = z.infer<typeof resultSchema>;

/**
 * Kubernetes' own calls on a real etcd, on `twonode etcd` and, where it can be built, on kine with NATS, in turn, from a client
 * in another process (tools/etcd/load). Prints medians of all rounds, and how twonode stands to the goals, as Markdown.
 */
export async function benchCalls(options: { keys: number; rounds: number; kine: boolean }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-bench-'));
  const load = await buildLoad(folder);
  const systems = await startSystems(options.kine);
  const measured = new Map<SystemName, Measured>();
  for (const name of systems.keys()) measured.set(name, { results: new Map(), sizes: null });
  for (let round = 0; round < options.rounds; round++) {
    for (const row of rows) {
      const last = row === rows[rows.length - 1] && round === options.rounds - 1;
      // In the last round, what stands in the store is looked at before it is deleted.
      if (last) {
        for (const [name, system] of systems)
          (measured.get(name) as Measured).sizes = await sizesOf(system, load);
      }
      // Each goes first in turn.
      for (const name of rotated([...systems.keys()], round)) {
        const result = await measure(load, systems.get(name) as System, row, options.keys);
        const { results } = measured.get(name) as Measured;
        results.set(row, [...(results.get(row) ?? []), ...(result ? [result] : [])]);
      }
    }
    console.error(`round ${round + 1} of ${options.rounds} is done`);
  }
  for (const system of systems.values()) await system.stop();
  rmSync(folder, { recursive: true });
  console.log(report(measured, options));
}

function rotated<Item>(items: Item[], by: number): Item[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}

async function startSystems(withKine: boolean): Promise<Map<SystemName, System>> {
  const systems = new Map<SystemName, System>();
  systems.set('etcd', await starters.etcd());
  systems.set('twonode', await starters.twonode());
  if (!withKine) return systems;
  try {
    systems.set('kine', await starters.kine());
  } catch (error) {
    console.error(`without kine: ${(error as Error).message}`);
  }
  return systems;
}

async function buildLoad(folder: string): Promise<string> {
  const binary = join(folder, 'load');
  const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=readonly' };
  await run('go', ['build', '-o', binary, './load'], { cwd: join(repository, 'tools/etcd'), env });
  return binary;
}

/** Null when the system cannot do it. */
async function measure(load: string, { address }: System, row: Row, keys: number): Promise<Result | null> {
  const flags = {
    endpoint: address,
    op: row.op,
    callers: row.callers,
    keys,
    n: row.calls === 'keys' ? keys : Math.min(row.calls, keys),
    from: row.beyond ? keys : 0,
    limit: unlimited.includes(row.op) ? '0' : `${limitSeconds}s`,
  };
  try {
    const args = Object.entries(flags).flatMap(([name, value]) => [`-${name}`, String(value)]);
    const { stdout } = await run(load, args);
    return resultSchema.parse(JSON.parse(stdout));
  } catch (error) {
    console.error(`${row.op} with ${row.callers} callers: ${(error as Error).message}`);
    return null;
  }
}

/** The restart counts until the first answer. */
async function sizesOf(system: System, load: string): Promise<Measured['sizes']> {
  const sizes = { residentMiB: residentMiB(system.pids()), diskMiB: diskMiB(system.dataDir) };
  const restarts: number[] = [];
  for (let i = 0; i < 3; i++) {
    const startedMs = performance.now();
    await system.killAndRestart();
    await measure(load, system, { op: 'get', callers: 1, calls: 1 }, 1);
    restarts.push(performance.now() - startedMs);
  }
  return { ...sizes, restartMs: median(restarts) };
}
