import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { LeaseRecord } from '../history/history.ts';
import { seededRandom } from '../history/random.ts';
import { runRound } from '../kills/round.ts';
import { Target } from '../kills/target.ts';

/** A short run of `npm run kills`: see docs/durability.md. */
const test = suite('killed under load');
const rounds = 10;

test('shim and nats-server killed at random: every answer and every watch is right', async () => {
  const seed = Date.now() % 2 ** 31;
  const random = seededRandom(seed);
  const target = await Target.start();
  let leases: LeaseRecord[] = [];
  for (let number = 1; number <= rounds; number++) {
    const { history, report, kills } = await runRound(target, random, leases);
    leases = history.leases;
    const text = `round ${number} of --seed ${seed}, killed ${kills.map(({ victim }) => victim).join(', ')}`;
    assert.equal(report.problems, [], text);
    assert.is(report.counts.unwatched, 0, text);
    assert.ok(report.counts.acknowledged > 0, text);
  }
  await target.stop(false);
});

test.run();
