import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Compare } from '../etcd/messages.ts';
import { Store } from '../store/store.ts';
import { holds } from './compare.ts';

const test = suite('compare');

/** etcd's `CompareResult` and `CompareTarget`. */
const result = { equal: 0, greater: 1, less: 2, notEqual: 3 };
const target = { version: 0, create: 1, mod: 2, value: 3, lease: 4 };

function storeWith(...keys: string[]): Store {
  const store = new Store();
  for (const key of keys) store.put(store.head + 1, key, Buffer.from('value'), 0n);
  return store;
}

function compares(store: Store, part: Partial<Compare>): boolean {
  const whole: Compare = {
    result: 0,
    target: 0,
    key: 'a',
    version: 0,
    createRevision: 0,
    modRevision: 0,
    value: Buffer.alloc(0),
    lease: 0n,
    rangeEnd: '',
    ...part,
  };
  return holds(store, { compare: [whole], success: [], failure: [] });
}

test('an absent key is 0 everywhere and has no value', () => {
  const store = storeWith();
  assert.ok(compares(store, { target: target.mod, modRevision: 0 }));
  assert.ok(compares(store, { target: target.version, result: result.less, version: 1 }));
  assert.not(compares(store, { target: target.value, value: Buffer.alloc(0) }));
  assert.not(compares(store, { target: target.value, result: result.notEqual, value: Buffer.from('x') }));
});

test('values compare byte by byte', () => {
  const store = storeWith('a');
  const value = (text: string, how: number) =>
    compares(store, { target: target.value, result: how, value: Buffer.from(text) });
  assert.ok(value('value', result.equal));
  assert.ok(value('valu', result.greater));
  assert.ok(value('w', result.less));
});

test('a range holds when each of its keys does; an empty one is an absent key', () => {
  const store = storeWith('a', 'b');
  store.put(store.head + 1, 'b', Buffer.from('again'), 0n);
  const version = (how: number, wanted: number, key = 'a', rangeEnd = 'c') =>
    compares(store, { target: target.version, result: how, version: wanted, key, rangeEnd });
  assert.not(version(result.equal, 1));
  assert.ok(version(result.greater, 0));
  assert.ok(version(result.equal, 0, 'x', 'z'));
});

test('a result that etcd does not know holds, as there', () => {
  assert.ok(compares(storeWith('a'), { result: 9, version: 1 }));
});

test.run();
