import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bandSize,
  followerBandAfterLoss,
  inOddBand,
  leaderBandAfterBoot,
  leaderBandAfterLoss,
  nextEvenBand,
  nextOddBand,
  restoreBand,
} from './revision-band.ts';

const test = suite('revision bands');

test('a follower goes on in the next odd band, the leader above it in the next even one', () => {
  assert.is(nextOddBand(1), bandSize);
  assert.is(nextOddBand(2 * bandSize + 5), 3 * bandSize);
  assert.is(nextOddBand(bandSize + 5), 3 * bandSize);
  assert.is(nextEvenBand(bandSize), 2 * bandSize);
  assert.is(nextEvenBand(3 * bandSize + 1), 4 * bandSize);
  assert.is(nextEvenBand(2 * bandSize), 4 * bandSize);
});

test('after a loss the leader comes to stand above what its follower may have left out', () => {
  for (const revision of [5, bandSize + 5, 2 * bandSize + 5]) {
    const follower = followerBandAfterLoss(revision);
    const leader = leaderBandAfterLoss(revision);
    assert.ok(inOddBand(follower));
    assert.not(inOddBand(leader));
    assert.ok(follower > nextOddBand(revision), 'the band that may be used already is left out');
    assert.ok(leader > follower);
  }
});

test('a leader that knows nothing of an earlier boot seldom begins the band of that boot again', () => {
  const drawn = Array.from({ length: 100 }, (_, i) => leaderBandAfterBoot(5, i / 100));
  assert.is(new Set(drawn).size, 32);
  assert.is(Math.min(...drawn), leaderBandAfterLoss(5));
  for (const revision of drawn) assert.not(inOddBand(revision));
});

test('a restore goes to an even band that nobody has used, a hundred times', () => {
  let revision = 77;
  for (let i = 0; i < 100; i++) {
    const next = restoreBand(revision);
    assert.not(inOddBand(next));
    assert.ok(next > revision + 16_000 * bandSize);
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
