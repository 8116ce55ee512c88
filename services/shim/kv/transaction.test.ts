import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RequestOp, TxnRequest } from '../etcd/messages.ts';
import { Writer } from '../protobuf/wire.ts';
import { readValue } from '../store/key-value.ts';
import { Store } from '../store/store.ts';
import { Transaction } from './transaction.ts';

/** What the answers look like is compared with a real etcd in test/e2e; here it is what happens to the store. */
const test = suite('transaction');

const none: RequestOp = {
  requestRange: undefined,
  requestPut: undefined,
  requestDeleteRange: undefined,
  requestTxn: undefined,
};
const put = (key: string, value: string, lease = 0n): RequestOp => ({
  ...none,
  requestPut: {
    key,
    value: Buffer.from(value),
    lease,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  },
});
const del = (key: string, rangeEnd = ''): RequestOp => ({
  ...none,
  requestDeleteRange: { key, rangeEnd, prevKv: false },
});
/** Holds if the key is at this version. */
const versionIs = (key: string, version: number): TxnRequest['compare'][number] => ({
  result: 0,
  target: 0,
  key,
  version,
  createRevision: 0,
  modRevision: 0,
  value: Buffer.alloc(0),
  lease: 0n,
  rangeEnd: '',
});

function run(store: Store, request: Partial<TxnRequest>): Transaction {
  const transaction = new Transaction(store, new Map());
  const whole = { compare: [], success: [], failure: [], ...request };
  transaction.txn(whole, new Writer(), Buffer.alloc(0));
  return transaction;
}

const currentValue = (store: Store, key: string) => {
  const version = store.current(key);
  return version && readValue(version.bytes).toString();
};

test('all changes have one revision, and deletions of nothing are none', () => {
  const store = new Store();
  const before = store.head;
  const { changes, revision } = run(store, { success: [put('a', '1'), put('b', '2'), del('none')] });
  assert.is(revision, before + 1);
  assert.equal(
    changes.map((version) => version.modRevision),
    [before + 1, before + 1],
  );
  assert.is(run(store, { success: [del('none')] }).revision, before + 1);
});

test('compares choose the branch, those of an inner Txn by the state before', () => {
  const store = new Store();
  run(store, { success: [put('a', '1')] });
  const inner: TxnRequest = {
    compare: [versionIs('a', 1)],
    success: [put('saw', 'before')],
    failure: [put('saw', 'after')],
  };
  run(store, {
    compare: [versionIs('a', 1)],
    success: [put('a', '2'), { ...none, requestTxn: inner }],
    failure: [put('a', 'never')],
  });
  assert.is(currentValue(store, 'a'), '2');
  assert.is(currentValue(store, 'saw'), 'before');
});

test('one that is refused changes nothing', () => {
  const store = new Store();
  const before = store.head;
  assert.throws(() => run(store, { success: [put('a', '1'), put('b', '2', 99n)] }), /lease not found/);
  const future = { key: 'a', revision: before + 5 };
  const read = { ...none, requestRange: { ...emptyRange, ...future } };
  assert.throws(() => run(store, { success: [put('a', '1'), read] }), /future revision/);
  assert.is(store.head, before);
  assert.is(currentValue(store, 'a'), undefined);
});

const emptyRange = {
  key: '',
  rangeEnd: '',
  limit: 0,
  revision: 0,
  sortOrder: 0,
  sortTarget: 0,
  serializable: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: 0,
  maxModRevision: 0,
  minCreateRevision: 0,
  maxCreateRevision: 0,
};

test('a range that is deleted takes all its keys', () => {
  const store = new Store();
  for (const key of ['a/1', 'a/2', 'b']) run(store, { success: [put(key, 'v')] });
  const { changes } = run(store, { success: [del('a/', 'a0')] });
  assert.is(changes.length, 2);
  assert.is(currentValue(store, 'a/1'), undefined);
  assert.is(currentValue(store, 'b'), 'v');
});

test.run();
