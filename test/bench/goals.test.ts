import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { judge } from './goals.ts';

const test = suite('goals of the benchmark');

test('more is better, unless less is', () => {
  const rate = { goal: 1, floor: 0.65, most: false };
  assert.equal(
    [1, 0.9, 0.6].map((ratio) => judge(ratio, rate)),
    ['met', 'floor met', 'missed'],
  );
  const latency = { goal: 1.2, floor: 1.9, most: true };
  assert.equal(
    [1.2, 1.5, 2].map((ratio) => judge(ratio, latency)),
    ['met', 'floor met', 'missed'],
  );
});

test('where there is one limit, it is met or missed', () => {
  assert.is(judge(1.9, { goal: 2, floor: 2, most: false }), 'missed');
});

test('what was not measured is not judged', () => {
  assert.is(judge(Number.NaN, { goal: 2, floor: 2, most: false }), '?');
});

test.run();
