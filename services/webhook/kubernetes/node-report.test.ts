import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { stateMessage } from '../testing/reviews.ts';
import { nodeReports, transitionEvent } from './node-report.ts';

const heard = { node: 'node-a', state: 'Leader', reason: null, heard: true, age_ms: 20 } as const;

test('a node says its state as a label and a condition', () => {
  const [own, ...others] = nodeReports(stateMessage({ peer: heard }));
  assert.equal(others, []);
  assert.equal(own, {
    node: 'node-b',
    metadata: { metadata: { labels: { 'twonode.dev/state': 'LeaderRX' } } },
    status: {
      status: {
        conditions: [
          {
            type: 'TwoNodeRestricted',
            status: 'True',
            reason: 'PeerDown',
            message: 'LeaderRX: node-a unreachable since 12:03:11Z',
            lastTransitionTime: '2026-01-02T12:03:12.000Z',
          },
        ],
      },
    },
  });
});

test('it speaks for a peer that it does not hear, but not while it is Impaired itself', () => {
  const [, peer] = nodeReports(stateMessage());
  assert.is(peer?.node, 'node-a');
  assert.match(JSON.stringify(peer), '"twonode.dev/state":"Impaired"');
  assert.match(JSON.stringify(peer), '"status":"Unknown"');
  assert.is(nodeReports(stateMessage({ state: 'Impaired', reason: 'local-failure' })).length, 1);
});

test('unrestricted: the condition is False', () => {
  const [own] = nodeReports(stateMessage({ state: 'Follower', reason: null, text: '', peer: heard }));
  assert.match(JSON.stringify(own), '"status":"False","reason":"NotRestricted","message":"Follower"');
});

test('a transition is an event of the node, always of the same name', () => {
  const event = transitionEvent('Follower', stateMessage());
  assert.equal(
    [event.type, event.reason, event.message, event.involvedObject.name],
    ['Warning', 'TwoNodeLeaderRX', 'Follower -> LeaderRX: node-a unreachable since 12:03:11Z', 'node-b'],
  );
  assert.is(transitionEvent('Follower', stateMessage()).metadata.name, event.metadata.name);
  assert.is.not(transitionEvent('Impaired', stateMessage()).metadata.name, event.metadata.name);
});

test.run();
