import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { countFalseAlarms } from './false-alarms.ts';
import { keptSeeds } from './kept-seeds.ts';
import { runSeed } from './run-seed.ts';

/** `npm run sim -- --seeds N` runs as many as one likes; here stands what CI can afford. */
const seeds = 60;

test('one seed is one run: byte for byte the same trace', async () => {
  const [first, second] = [await runSeed(1), await runSeed(1)];
  assert.equal(second.trace, first.trace);
  assert.ok(first.trace.length > 100);
});

test('the failure detector: an hour at 30 % loss each way raises no alarm', () => {
  assert.is(countFalseAlarms(1, 1, 0.3).alarms, 0);
});

test(`seeds 1 to ${seeds}`, async () => {
  for (let seed = 1; seed <= seeds; seed++) await holds(seed);
});

test('seeds that failed once', async () => {
  for (const { seed } of keptSeeds) await holds(seed);
});

async function holds(seed: number): Promise<void> {
  const { violations } = await runSeed(seed);
  const [first] = violations;
  assert.ok(!first, `seed ${seed}: ${first?.invariant}: ${first?.text} (npm run sim -- --seed ${seed})`);
}

test.run();
