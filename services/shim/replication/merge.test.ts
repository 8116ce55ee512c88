import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Store } from '../store/store.ts';
import { isEphemeral, judgeMerge } from './merge.ts';

const test = suite('merge of an overlay');

function stored(text: string) {
  return new Store().put(5, 'k', Buffer.from(text), 0n);
}
const change = (base: number, text: string | null) => ({
  key: 'k',
  base,
  deleted: text === null,
  value: Buffer.from(text ?? ''),
  timeMs: 0,
});

test('a key that the leader left alone takes the change', () => {
  assert.is(judgeMerge(change(5, 'new'), stored('old'), undefined), 'take');
  assert.is(judgeMerge(change(5, null), stored('old'), undefined), 'take');
  assert.is(judgeMerge(change(0, 'new'), undefined, undefined), 'take');
});

test('the same content on both sides is nothing', () => {
  assert.is(judgeMerge(change(1, 'same'), stored('same'), undefined), 'same');
  assert.is(judgeMerge(change(1, null), undefined, undefined), 'same');
});

test('a key that both changed is a conflict', () => {
  assert.is(judgeMerge(change(4, 'mine'), stored('yours'), undefined), 'conflict');
  assert.is(judgeMerge(change(4, null), stored('yours'), undefined), 'conflict');
  assert.is(judgeMerge(change(4, 'mine'), undefined, undefined), 'conflict');
  assert.is(judgeMerge(change(0, 'mine'), stored('yours'), undefined), 'conflict');
});

test('a merge that is done again knows its own change', () => {
  assert.is(judgeMerge(change(4, 'later'), stored('merged before'), 5), 'take');
  assert.is(judgeMerge(change(4, 'later'), undefined, 0), 'take');
});

test('what its owner writes anew anyway is never merged', () => {
  assert.ok(isEphemeral('/registry/leases/kube-node-lease/node-b', 0n));
  assert.ok(isEphemeral('compact_rev_key', 0n));
  assert.ok(isEphemeral('/registry/configmaps/default/x', 9n));
  assert.not(isEphemeral('/registry/configmaps/default/x', 0n));
});

test.run();
