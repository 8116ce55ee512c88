import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bandSize, inOddBand, nextEvenBand, nextOddBand, restoreBand } from './revision-band.ts';

const test = suite('revision bands');

test('a follower goes on in the next odd band, the leader above it in the next even one', () => {
  assert.is(nextOddBand(1), bandSize);
  assert.is(nextOddBand(2 * bandSize + 5), 3 * bandSize);
  assert.is(nextOddBand(bandSize + 5), 3 * bandSize);
  assert.is(nextEvenBand(bandSize), 2 * bandSize);
  assert.is(nextEvenBand(3 * bandSize + 1), 4 * bandSize);
  assert.is(nextEvenBand(2 * bandSize), 4 * bandSize);
});

test('a restore goes to an even band that nobody has used, hundreds of times', () => {
  let revision = 77;
  for (let i = 0; i < 500; i++) {
    const next = restoreBand(revision);
    assert.not(inOddBand(next));
    assert.ok(next > revision + 4_000 * bandSize);
    revision = next + 1_000;
  }
  assert.ok(Number.isSafeInteger(revision));
});

test('a revision tells who gave it', () => {
  assert.not(inOddBand(1));
  assert.ok(inOddBand(bandSize));
  assert.not(inOddBand(2 * bandSize));
});

test.run();
