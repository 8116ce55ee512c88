/** Seeds that once found a fault of the product, and what it was. What a seed does may change with the simulation. */
export const keptSeeds: readonly { seed: number; found: string }[] = [
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
];
