import type { FaultName } from './scenario.ts';

/** A seed that once found a fault of the product, with a fault that it was run with, and what it found. */
interface KeptSeed {
  seed: number;
  also?: FaultName;
  found: string;
}

/** What a seed does may change with the simulation: the faults themselves have tests of their own where that was possible. */
export const keptSeeds: readonly KeptSeed[] = [
  {
    seed: 18,
    found: 'the follower lost its disk, and the revisions that it gave alone were forgotten: they went back',
  },
  {
    seed: 45,
    found: 'epochs out of order after a cleaning: the logs of the two nodes seemed to have begun apart',
  },
  { seed: 46, found: 'Follower while an overlay was being opened' },
  { seed: 53, found: 'the same, after the leader had started twice in between' },
  { seed: 91, found: 'a write alone while nats-server is stopped was answered with an error of ours' },
  { seed: 1041, found: 'an overlay opened twice at once: an acknowledged write was lost' },
  { seed: 8, also: 'disk lost', found: 'a leader whose store was lost showed an empty one to readers' },
  {
    seed: 21,
    also: 'disk lost',
    found: 'a leader that got its log back gave the revisions that were lost with its disk once more',
  },
  {
    seed: 106,
    also: 'disk lost',
    found: 'the same, where the lost part told of a jump that its follower had heard of',
  },
  {
    seed: 52,
    also: 'disk lost',
    found: 'an overlay that was put back as it had been gave the revisions that were lost once more',
  },
  {
    seed: 37,
    also: 'disk lost',
    found: 'a follower that lost the end of its mirror wrote alone in a band that it had used',
  },
  {
    seed: 354,
    also: 'disk rolled back',
    found: 'an overlay was reopened after a boot below the band in which its lost end had been told',
  },
  {
    seed: 304,
    found: 'an overlay that was reopened after a boot jumped, and took writes, before the logs were compared',
  },
  {
    seed: 23,
    also: 'disk rolled back',
    found: 'a follower whose mirror had lost what makes it whole waited for ever, and never asked its leader',
  },
  {
    seed: 700,
    also: 'disk lost',
    found: 'an overlay on a mirror that had lost its end could never be merged: never-joined for ever',
  },
  {
    seed: 5354,
    found:
      'a leader that lost the record which makes its log whole took its follower for one of another cluster',
  },
  {
    seed: 5398,
    found:
      'a follower with an older mirror on a full disk showed less than it had shown, though it had met its leader',
  },
  {
    seed: 5702,
    found: 'a conflict in records that the leader lost, and its follower still held, was not kept',
  },
  {
    seed: 60056,
    also: 'log truncated',
    found:
      'an overlay from an older disk, opened only when the leader was met, gave its lost revisions again',
  },
  {
    seed: 60162,
    also: 'log truncated',
    found: 'a leader that lost the record of a jump, and started alone, jumped into the same band again',
  },
  {
    seed: 60187,
    also: 'log truncated',
    found: 'a mirror that lost all its records and went on behind a hole was taken for a whole one',
  },
  {
    seed: 70115,
    found: 'a leader with an older disk that started alone jumped into the band that the lost disk had begun',
  },
  {
    seed: 80155,
    found: 'a follower that was stopped on purpose, and whose store was lost then, did not start any more',
  },
  {
    seed: 6726,
    found:
      'a write alone on a full disk, where shim.json could not be written, was answered with an internal error',
  },
  {
    seed: 49276,
    found: 'a follower with an overlay, whose leader had cleaned its log beyond the mirror, never merged',
  },
  {
    seed: 49177,
    found: 'a mirror whose consumer could not be made on a full disk was never fed again after a restart',
  },
  {
    seed: 503014,
    found:
      'records that a slow disk took only after the logs were compared, and the leader had lost, were followed',
  },
  { seed: 12, also: 'disk full', found: 'the shim ended when the verified point could not be written' },
];
