import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { StateMessage } from '../../shared/messages.ts';
import type { NodeState } from '../../shared/node.ts';
import { exitStatusOf, overviewOf } from './overview.ts';
import { age, renderOverview } from './render.ts';

const nowMs = Date.parse('2026-01-01T12:00:42Z');

function said(node: 'node-a' | 'node-b', state: NodeState, more: Partial<StateMessage> = {}): StateMessage {
  const [role, peer] =
    node === 'node-a' ? (['leader', 'node-b'] as const) : (['follower', 'node-a'] as const);
  return {
    v: 1,
    node,
    role,
    state,
    since: '2026-01-01T12:00:00Z',
    reason: null,
    text: '',
    warnings: [],
    epoch: 1,
    revision: 7,
    conflicts: 0,
    peer: { node: peer, state: 'Impaired', reason: null, heard: false, age_ms: null },
    seq: 1,
    ttl_ms: 3000,
    ...more,
  };
}

test('exit status: 0 healthy, 1 restricted, 2 impaired, 3 unknown', () => {
  const status = (...states: StateMessage[]) => exitStatusOf[overviewOf(states).health];
  assert.is(status(said('node-a', 'Leader'), said('node-b', 'Follower')), 0);
  assert.is(status(said('node-a', 'Leader'), said('node-b', 'LeaderRX')), 1);
  assert.is(status(said('node-a', 'Impaired'), said('node-b', 'LeaderRX')), 2);
  assert.is(status(), 3);
});

test('a node that does not answer is shown as its peer sees it', () => {
  const { health, nodes } = overviewOf([said('node-b', 'LeaderRX')]);
  assert.is(health, 'impaired');
  assert.equal(nodes[0], { node: 'node-a', role: 'leader', state: 'Impaired', said: null });
});

test('the text has state, since, reason, what is allowed, and warnings', () => {
  const follower = said('node-b', 'LeaderRX', {
    reason: 'peer-down',
    text: 'node-a unreachable since 12:00:00Z',
    warnings: ['wan: no answer'],
  });
  assert.is(
    renderOverview(overviewOf([follower, said('node-a', 'Leader')]), nowMs),
    `Cluster is restricted

node-a  leader    Leader since 12:00:00Z (42s)
        allowed:  all reads and writes
        log:      epoch 1, revision 7
node-b  follower  LeaderRX since 12:00:00Z (42s)
        reason:   peer-down: node-a unreachable since 12:00:00Z
        allowed:  all reads; only writes on the approvedMutationList
        log:      epoch 1, revision 7

Warnings:
  node-b: wan: no answer
`,
  );
});

test('ages are short', () => {
  assert.is(age(42_999), '42s');
  assert.is(age(12 * 60_000), '12m');
  assert.is(age((3 * 60 + 5) * 60_000), '3h 5m');
  assert.is(age(52 * 3_600_000), '2d 4h');
  assert.is(age(-5), '0s');
});

test.run();
