import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { NodeState } from '../../shared/node.ts';
import { Restriction } from './restriction.ts';

const test = suite('whether a node was restricted during a call');

function told(...states: [NodeState, since: string][]): Restriction {
  const restriction = new Restriction();
  for (const [state, since] of states) restriction.take({ state, since });
  return restriction;
}

test('one restriction before the call and in two messages after it', () => {
  const restriction = told(['LeaderRX', '1'], ['LeaderRX', '1'], ['LeaderRX', '1'], ['LeaderRX', '1']);
  assert.is(restriction.duringAllOf(1, 2), 'LeaderRX since 1');
});

test('the message before the call tells of no restriction', () => {
  const restriction = told(['Follower', '0'], ['LeaderRX', '1'], ['LeaderRX', '1'], ['LeaderRX', '1']);
  assert.is(restriction.duringAllOf(1, 2), null);
});

test('it ended, and the message that says so came after one that was under way', () => {
  const restriction = told(['LeaderRX', '1'], ['LeaderRX', '1'], ['Follower', '2']);
  assert.is(restriction.duringAllOf(1, 1), null);
});

test('another restriction began meanwhile', () => {
  const restriction = told(['LeaderRX', '1'], ['LeaderRX', '3'], ['LeaderRX', '3']);
  assert.is(restriction.duringAllOf(1, 1), null);
});

test('nothing is known before the first message, nor without two after the call', () => {
  const restriction = told(['Impaired', '1'], ['Impaired', '1']);
  assert.is(restriction.duringAllOf(0, 0), null);
  assert.is(restriction.duringAllOf(1, 1), null);
});

test.run();
