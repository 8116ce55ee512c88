import { etcdErrors } from '../etcd/errors.ts';
import type { RangeRequest } from '../etcd/messages.ts';
import { readValue } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import type { RangeResult } from './responses.ts';

/** etcd's `RangeRequest.SortOrder` and `SortTarget`. */
const order = { none: 0, ascend: 1, descend: 2 } as const;
const target = { key: 0, version: 1, create: 2, mod: 3, value: 4 } as const;

/** etcd's range end: absent is the one key, a zero byte is no end. */
export function rangeEnd(end: string): string | null | undefined {
  if (end === '') return undefined;
  return end === '\0' ? null : end;
}

/** @throws EtcdError when the request is not allowed whatever the store holds */
export function checkRange(request: RangeRequest): void {
  if (request.key === '') throw etcdErrors.emptyKey();
  if (request.sortOrder < 0 || request.sortOrder > 2) throw etcdErrors.invalidSortOption();
  if (request.sortTarget < 0 || request.sortTarget > 4) throw etcdErrors.invalidSortOption();
}

/**
 * Evaluates a Range (etcd server/etcdserver/txn: executeRange).
 * @param newest the newest revision that this reader may see
 * @throws EtcdError for a compacted or future revision
 */
export function range(store: Store, request: RangeRequest, newest: number): RangeResult {
  const revision = request.revision > 0 ? request.revision : newest;
  if (revision > newest) throw etcdErrors.futureRevision();
  if (revision < store.compacted) throw etcdErrors.compacted();
  const query = { key: request.key, end: rangeEnd(request.rangeEnd), revision };
  if (request.countOnly) return { revision: newest, versions: [], more: false, count: store.count(query) };
  // One more than the limit tells that there are more.
  const fetched = store.range(query, limitsWalk(request) ? request.limit + 1 : undefined);
  const versions = sort(
    isFiltered(request) ? fetched.filter((version) => passes(request, version)) : fetched,
    request,
  );
  const more = request.limit > 0 && versions.length > request.limit;
  const count = limitsWalk(request) && more ? store.count(query) : fetched.length;
  if (more) versions.length = request.limit;
  return { revision: newest, versions, more, count };
}

/**
 * Whether the limit ends the walk over the keys. As in etcd it does also where a sort target is named without an order: the first
 * keys are then sorted among themselves.
 */
function limitsWalk(request: RangeRequest): boolean {
  const inKeyOrder = request.sortTarget === target.key && request.sortOrder === order.ascend;
  return request.limit > 0 && !isFiltered(request) && (request.sortOrder === order.none || inKeyOrder);
}

function isFiltered(request: RangeRequest): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return minModRevision > 0 || maxModRevision > 0 || minCreateRevision > 0 || maxCreateRevision > 0;
}

function passes(request: RangeRequest, { modRevision, createRevision }: Version): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  return (
    (!maxModRevision || modRevision <= maxModRevision) &&
    (!minModRevision || modRevision >= minModRevision) &&
    (!maxCreateRevision || createRevision <= maxCreateRevision) &&
    (!minCreateRevision || createRevision >= minCreateRevision)
  );
}

function sort(versions: Version[], { sortOrder, sortTarget }: RangeRequest): Version[] {
  const sign = sortOrder === order.descend ? -1 : 1;
  switch (sortTarget) {
    case target.version:
      return versions.sort((a, b) => sign * (a.version - b.version));
    case target.create:
      return versions.sort((a, b) => sign * (a.createRevision - b.createRevision));
    case target.mod:
      return versions.sort((a, b) => sign * (a.modRevision - b.modRevision));
    case target.value:
      return versions.sort((a, b) => sign * Buffer.compare(readValue(a.bytes), readValue(b.bytes)));
    default:
      return sign < 0 ? versions.reverse() : versions;
  }
}
