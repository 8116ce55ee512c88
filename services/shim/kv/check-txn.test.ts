import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RequestOp, TxnRequest } from '../etcd/messages.ts';
import { checkTxn, maxTxnOps } from './check-txn.ts';

const test = suite('check of a Txn');

const none: RequestOp = {
  requestRange: undefined,
  requestPut: undefined,
  requestDeleteRange: undefined,
  requestTxn: undefined,
};
const put = (key: string): RequestOp => ({
  ...none,
  requestPut: {
    key,
    value: Buffer.alloc(0),
    lease: 0n,
    prevKv: false,
    ignoreValue: false,
    ignoreLease: false,
  },
});
const del = (key: string, rangeEnd = ''): RequestOp => ({
  ...none,
  requestDeleteRange: { key, rangeEnd, prevKv: false },
});
const txn = (success: RequestOp[], failure: RequestOp[] = []): TxnRequest => ({
  compare: [],
  success,
  failure,
});
const inner = (request: TxnRequest): RequestOp => ({ ...none, requestTxn: request });
const puts = (count: number) => Array.from({ length: count }, (_, i) => put(`many/${i}`));

const duplicate = /duplicate key given in txn request/;
const cases: [string, TxnRequest, RegExp | null][] = [
  ['different keys', txn([put('a'), put('b'), del('c')]), null],
  ['the same key in both branches', txn([put('a')], [put('a')]), null],
  ['a key deleted twice', txn([del('a'), del('a', 'c')]), null],
  ['a key put twice', txn([put('a'), put('a')]), duplicate],
  ['a key put and deleted', txn([put('a'), del('a')]), duplicate],
  ['a key put and deleted by a range', txn([put('b'), del('a', 'c')]), duplicate],
  ['a key put and deleted by a range without end', txn([put('b'), del('a', '\0')]), duplicate],
  ['a key just behind a range', txn([put('c'), del('a', 'c')]), null],
  ['a key in both branches of an inner Txn', txn([inner(txn([put('a')], [put('a')]))]), null],
  ['a key put in an inner Txn and beside it', txn([inner(txn([put('a')])), put('a')]), duplicate],
  ['a key put in two inner ones', txn([inner(txn([put('a')])), inner(txn([], [put('a')]))]), duplicate],
  ['a key put that an inner one deletes', txn([inner(txn([del('a', 'c')])), put('b')]), duplicate],
  ['as many operations as may be', txn(puts(maxTxnOps)), null],
  ['one operation too many', txn(puts(maxTxnOps + 1)), /too many operations in txn request/],
  ['too many in a failure branch', txn([], puts(maxTxnOps + 1)), /too many operations in txn request/],
  ['an inner one that fills up', txn([inner(txn(puts(maxTxnOps - 1)))]), null],
  ['an inner one that is too large', txn([inner(txn(puts(maxTxnOps)))]), /too many operations/],
  ['an empty key', txn([put('')]), /key is not provided/],
  ['an empty operation', txn([none]), /key not found/],
];
for (const [title, request, error] of cases) {
  test(title, () => {
    if (error) assert.throws(() => checkTxn(request), error);
    else checkTxn(request);
  });
}

test.run();
