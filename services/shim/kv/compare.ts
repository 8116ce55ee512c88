import type { Compare, TxnRequest } from '../etcd/messages.ts';
import { readValue } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import { rangeEnd } from './range.ts';

/** etcd's `Compare.CompareResult` and `CompareTarget`. */
const result = { equal: 0, greater: 1, less: 2, notEqual: 3 } as const;
const target = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;

/** Whether all compares of a Txn hold at the head. */
export function holds(store: Store, request: TxnRequest): boolean {
  return request.compare.every((compare) => holdsOne(store, compare));
}

function holdsOne(store: Store, compare: Compare): boolean {
  const end = rangeEnd(compare.rangeEnd);
  if (end === undefined) return matches(compare, store.current(compare.key));
  let any = false;
  for (const version of store.range({ key: compare.key, end, revision: store.head })) {
    if (!matches(compare, version)) return false;
    any = true;
  }
  return any || matches(compare, undefined);
}

/** An absent key has 0 everywhere, and no value: a compare of its value never holds. */
function matches(compare: Compare, version: Version | undefined): boolean {
  if (compare.target === target.value && !version) return false;
  const difference = differenceOf(compare, version);
  switch (compare.result) {
    case result.equal:
      return difference === 0;
    case result.greater:
      return difference > 0;
    case result.less:
      return difference < 0;
    case result.notEqual:
      return difference !== 0;
    default:
      // As in etcd, which knows no such result.
      return true;
  }
}

function differenceOf(compare: Compare, version: Version | undefined): number {
  switch (compare.target) {
    case target.version:
      return (version?.version ?? 0) - compare.version;
    case target.create:
      return (version?.createRevision ?? 0) - compare.createRevision;
    case target.mod:
      return (version?.modRevision ?? 0) - compare.modRevision;
    case target.value:
      return version ? Buffer.compare(readValue(version.bytes), compare.value) : -1;
    case target.lease: {
      const lease = version?.lease ?? 0n;
      return lease === compare.lease ? 0 : lease > compare.lease ? 1 : -1;
    }
    default:
      // As in etcd, which knows no such target.
      return 0;
  }
}
