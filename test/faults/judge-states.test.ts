import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { detours, lateNodes } from './judge-states.ts';
import type { ExpectedStates } from './site.ts';

const test = suite('the states that a row of the table passed');

const states: ExpectedStates = { 'node-a': 'Leader', 'node-b': 'LeaderRX' };
const off: ExpectedStates = { 'node-a': 'off', 'node-b': 'LeaderRX' };
const straight = { 'node-a': [], 'node-b': [{ state: 'LeaderRX', afterMs: 800 } as const] };

test('straight to the state, and in time', () => {
  assert.equal(detours({ states }, straight), []);
  assert.equal(lateNodes({ states, withinMs: 800 }, straight, 5_000), []);
});

test('a detour is told, also on a node whose state stays', () => {
  const passed = {
    'node-a': [{ state: 'Impaired', afterMs: 5 } as const, { state: 'Leader', afterMs: 9 } as const],
    'node-b': [],
  };
  assert.equal(detours({ states }, passed), ['node-a was Impaired after 5 ms']);
});

test('each node has its own limit', () => {
  const withinMs = { 'node-a': 100, 'node-b': 700 };
  assert.equal(lateNodes({ states, withinMs }, straight, 5_000), ['node-b took 800 ms, more than 700']);
});

test('a node that is off, or only warns, is late when its peer or its warning is', () => {
  const late = ['node-a took 5000 ms, more than 3000'];
  assert.equal(lateNodes({ states: off, withinMs: 3_000 }, straight, 5_000), late);
  const warning = { node: 'node-a', text: 'CPU' } as const;
  assert.equal(lateNodes({ states, warning, withinMs: 3_000 }, straight, 5_000), late);
});

test('a row without a limit is never late', () => {
  assert.equal(lateNodes({ states }, straight, 1e9), []);
});

test.run();
