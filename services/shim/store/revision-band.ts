/**
 * Revisions come in bands of 2^32: even ones for the leader's log, odd ones for a follower that writes alone. So both can
 * number their changes without asking each other, and no revision ever has two contents.
 */
export const bandSize = 2 ** 32;

/** The first revision of the band that a revision is in. */
export function bandStart(revision: number): number {
  return revision - (revision % bandSize);
}

/** The first revision of the next odd band above `revision`: where a follower goes on that writes alone. */
export function nextOddBand(revision: number): number {
  const band = Math.floor(revision / bandSize);
  return (band % 2 === 1 ? band + 2 : band + 1) * bandSize;
}

/** The first revision of the next even band above `revision`: where the leader goes on after a split. */
export function nextEvenBand(revision: number): number {
  const band = Math.floor(revision / bandSize);
  return (band % 2 === 0 ? band + 2 : band + 1) * bandSize;
}

/**
 * Bands that are left out by a node that was off, and cannot know whether its disk lost something: in the one before them it may
 * have told revisions. The follower leaves out fewer, so that the leader comes to stand above it.
 */
const leaderLeavesOut = 4;
const followerLeavesOut = 2;

/** Where a leader goes on that cannot know what its follower told beyond `revision`. */
export function leaderBandAfterLoss(revision: number): number {
  return nextEvenBand(revision) + leaderLeavesOut * bandSize;
}

/**
 * A leader whose whole disk is an older copy finds no trace of the bands it began since, and would begin the same ones again.
 * So it draws one of this many.
 */
const drawnBands = 32;

/**
 * Where a leader goes on after a boot that cannot know what it told beyond `revision` itself.
 * @param random at least 0, less than 1
 */
export function leaderBandAfterBoot(revision: number, random: number): number {
  return leaderBandAfterLoss(revision) + 2 * Math.floor(drawnBands * random) * bandSize;
}

/** Where a follower goes on alone that cannot know what it told beyond `revision`. */
export function followerBandAfterLoss(revision: number): number {
  return nextOddBand(revision) + followerLeavesOut * bandSize;
}

/** Whether a revision was given by a follower that wrote alone. */
export function inOddBand(revision: number): boolean {
  return Math.floor(revision / bandSize) % 2 === 1;
}

/**
 * The first revision after a restore: far enough above the snapshot's that it was never used, whatever was written after it
 * and however often the nodes were apart or off meanwhile: {@link bandsOfRestore} leave room for 8,192 splits, or 400 boots.
 */
export function restoreBand(revision: number): number {
  return nextEvenBand(revision) + bandsOfRestore * bandSize;
}

/** An even number of the 2^21 bands there are. */
const bandsOfRestore = 2 ** 14;
