import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { contradiction } from './contradiction.ts';
import type { Identity } from './protocol.ts';

const test = suite('contradiction');

const leader: Identity = { cluster: 'edge-1', node: 'node-a', role: 'leader', peer: 'node-b' };
const follower: Identity = { cluster: 'edge-1', node: 'node-b', role: 'follower', peer: 'node-a' };

test('two nodes of one configuration agree', () => {
  assert.is(contradiction(leader, follower), null);
  assert.is(contradiction(follower, leader), null);
});

for (const [what, peer, text] of [
  [
    'cluster',
    { ...follower, cluster: 'edge-2' },
    'node-a is configured for cluster "edge-1", node-b for cluster "edge-2"',
  ],
  ['role', { ...follower, role: 'leader' }, 'node-a and node-b are both configured as leader'],
  [
    'name',
    { ...follower, node: 'node-x' },
    'node-a is configured with node-b as its peer, but node-x answers, whose peer is node-a',
  ],
  [
    'peer',
    { ...follower, peer: 'node-x' },
    'node-a is configured with node-b as its peer, but node-b answers, whose peer is node-x',
  ],
] as const) {
  test(`another ${what} is named`, () => assert.is(contradiction(leader, peer), text));
}

test.run();
