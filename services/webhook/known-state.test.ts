import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeMessage } from '../../shared/messages.ts';
import { KnownState } from './known-state.ts';
import { stateMessage } from './testing/reviews.ts';

test('a state counts for its ttl_ms', () => {
  const known = new KnownState('node-b');
  assert.is(known.fresh(0), null);
  assert.is(known.learn(encodeMessage(stateMessage()), 1_000), null);
  assert.is(known.fresh(4_000)?.state, 'LeaderRX');
  assert.is(known.fresh(4_001), null);
});

test('what is no state of this node is not taken', () => {
  const known = new KnownState('node-b');
  assert.is(known.learn(encodeMessage(stateMessage({ node: 'node-a' })), 0), 'it is of node-a');
  assert.match(known.learn(Buffer.from('garbage'), 0) ?? '', 'not JSON');
  assert.match(known.learn(Buffer.from('{"v":2}'), 0) ?? '', 'v:');
  assert.is(known.fresh(0), null);
});

test.run();
