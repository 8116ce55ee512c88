import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeRecord, encodeRecord } from '../../services/shim/log/record.ts';
import { logStream } from '../../shared/nats-server/names.ts';
import { countFalseAlarms } from './false-alarms.ts';
import { keptSeeds } from './kept-seeds.ts';
import { quickSyncMs } from './nats/server.ts';
import type { SimulatedMachine } from './node/machine.ts';
import { runSeed } from './run-seed.ts';
import type { FaultName } from './scenario.ts';
import type { World } from './world.ts';

/** `npm run sim -- --seeds N` runs as many as one likes; here stands what CI can afford: so many in each of two processes. */
const seeds = 120;
const main = fileURLToPath(new URL('main.js', import.meta.url));

test('one seed is one run: byte for byte the same trace', async () => {
  const [first, second] = [await runSeed(1), await runSeed(1)];
  const differs = first.trace.findIndex((line, at) => line !== second.trace[at]);
  assert.is(second.trace[differs], first.trace[differs]);
  assert.is(second.trace.length, first.trace.length);
  assert.ok(first.trace.length > 100);
});

test('the failure detector: an hour at 30 % loss each way raises no alarm', () => {
  assert.is(countFalseAlarms(1, 1, 0.3).alarms, 0);
});

/** The newest record of the mirror says something else, and checks. What would be written next would still follow the leader's own. */
function changeQuietMirror(world: World): void {
  const { scheduler, machines } = world;
  scheduler.after(10_000, null, () => world.stopWriters());
  scheduler.after(12_000, null, () => {
    const mirror = machines['node-b'].server.streams.get(logStream(1));
    const newest = mirror?.messages.get(mirror.lastSequence);
    if (!mirror || !newest) throw new Error('there is no mirror');
    const record = decodeRecord(newest.data, undefined);
    const data = encodeRecord({ ...record, timeMs: record.timeMs + 1 });
    mirror.messages.set(newest.sequence, { ...newest, data });
  });
}

/** How often the leader jumped, where nothing happens but this to the follower from second 10 to 20. */
async function jumpsAfter(take: (machine: SimulatedMachine) => void): Promise<number> {
  const { trace, violations } = await runSeed(1, {
    plan: ({ scheduler, machines }) => {
      const follower = machines['node-b'];
      scheduler.after(10_000, null, () => take(follower));
      scheduler.after(20_000, null, () => follower.powerOn());
    },
  });
  assert.equal(violations, []);
  return trace.filter((line) => line.includes('the revision jumps')).length;
}

test('a follower that stops on purpose and boots makes nobody list anew; one that loses power does', async () => {
  assert.is(await jumpsAfter((follower) => follower.leave()), 0);
  assert.is(await jumpsAfter((follower) => follower.powerOff()), 1);
});

test('a follower that asks again while its leader still compares the logs, on a disk that hangs, starts no second comparison', async () => {
  const healAtMs = 30_000;
  const { trace, violations } = await runSeed(1, {
    plan: ({ scheduler, machines }) => {
      const { 'node-a': leader, 'node-b': follower } = machines;
      scheduler.after(10_000, null, () => follower.powerOff());
      scheduler.after(11_000, null, () => {
        leader.server.syncMs = { least: healAtMs, most: healAtMs };
        follower.powerOn();
      });
      scheduler.after(healAtMs, null, () => {
        leader.server.syncMs = quickSyncMs;
      });
    },
  });
  assert.equal(violations, []);
  const jumps = trace.filter((line) => line.includes('the revision jumps'));
  assert.is(jumps.filter((line) => Number.parseFloat(line) * 1_000 < healAtMs).length, 1);
});

test('a mirror that became another one, though nothing shows it, is found when the logs are compared in between', async () => {
  const { trace, violations } = await runSeed(1, {
    plan: changeQuietMirror,
  });
  assert.equal(violations, []);
  assert.is(trace.filter((line) => line.includes('the mirror is copied anew')).length, 1);
});

test('a new copy into which a hole comes is begun anew', async () => {
  const { trace, violations } = await runSeed(1, {
    plan: (world) => {
      changeQuietMirror(world);
      const { streams } = world.machines['node-b'].server;
      const loseOne = () => {
        const isLost = streams.get(logStream(2))?.messages.delete(5);
        if (!isLost) world.scheduler.after(0.1, null, loseOne);
      };
      loseOne();
    },
  });
  assert.equal(violations, []);
  assert.is(trace.filter((line) => line.includes('the new copy has a hole')).length, 1);
});

test(`seeds 1 to ${2 * seeds}`, async () => {
  const others = runSeeds(seeds + 1, seeds);
  for (let seed = 1; seed <= seeds; seed++) await holds(seed);
  const { output, failed } = await others;
  assert.not.ok(failed, output);
});

test('seeds that failed once', async () => {
  for (const { seed, also } of keptSeeds) await holds(seed, also);
});

async function holds(seed: number, also?: FaultName): Promise<void> {
  const { violations } = await runSeed(seed, { also });
  const [first] = violations;
  const again = `npm run sim -- --seed ${seed}${also ? ` --with '${also}'` : ''}`;
  assert.ok(!first, `seed ${seed}: ${first?.invariant}: ${first?.text} (${again})`);
}

function runSeeds(from: number, count: number): Promise<{ output: string; failed: boolean }> {
  const args = [main, '--from', String(from), '--seeds', String(count)];
  return new Promise((resolve) =>
    execFile(process.execPath, args, (error, output) => resolve({ output, failed: error !== null })),
  );
}

test.run();
