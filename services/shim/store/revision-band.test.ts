import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bandSize, inOddBand, nextEvenBand, nextOddBand } from './revision-band.ts';

const test = suite('revision bands');

test('a follower goes on in the next odd band, the leader above it in the next even one', () => {
  assert.is(nextOddBand(1), bandSize);
  assert.is(nextOddBand(2 * bandSize + 5), 3 * bandSize);
  assert.is(nextOddBand(bandSize + 5), 3 * bandSize);
  assert.is(nextEvenBand(bandSize), 2 * bandSize);
  assert.is(nextEvenBand(3 * bandSize + 1), 4 * bandSize);
  assert.is(nextEvenBand(2 * bandSize), 4 * bandSize);
});

test('a revision tells who gave it', () => {
  assert.not(inOddBand(1));
  assert.ok(inOddBand(bandSize));
  assert.not(inOddBand(2 * bandSize));
});

test.run();
