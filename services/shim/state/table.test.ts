import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Machine } from './machine.ts';
import { SimulatedPair } from './simulation/pair.ts';
import { type TableRow, table } from './table.ts';

const stateOf = (machine: Machine | null) => machine?.memory.verdict.state ?? 'off';

function play(row: TableRow): SimulatedPair {
  const pair = new SimulatedPair();
  for (const command of ['boot', 'wait 20s', ...row.commands, 'wait 60s']) pair.run(command);
  return pair;
}

for (const row of table) {
  test(`${row.condition}: ${row.leader}, ${row.follower}`, () => {
    const pair = play(row);
    assert.is(stateOf(pair.leader.machine), row.leader, 'leader');
    assert.is(stateOf(pair.follower.machine), row.follower, 'follower');
    if (!row.warning) return;
    const warnings = pair[row.warning.node].machine?.warnings.map(({ text }) => text) ?? [];
    assert.match(warnings.join('\n'), row.warning.text);
  });

  test(`${row.condition}: healed, Leader and Follower`, () => {
    const pair = play(row);
    pair.run('heal');
    for (const node of [pair.leader, pair.follower]) {
      node.broken.clear();
      if (!node.machine) pair.run(`boot ${node.config.node}`);
    }
    pair.run('wait 20s');
    assert.is(stateOf(pair.leader.machine), 'Leader', 'leader');
    assert.is(stateOf(pair.follower.machine), 'Follower', 'follower');
  });
}

test('what east-west alone decides is decided within a second', () => {
  const pair = new SimulatedPair();
  for (const command of ['boot', 'wait 20s', 'cut link', 'wait 1s']) pair.run(command);
  assert.is(stateOf(pair.follower.machine), 'LeaderRX');
});

test.run();
