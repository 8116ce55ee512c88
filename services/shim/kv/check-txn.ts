import { etcdErrors } from '../etcd/errors.ts';
import type { DeleteRangeRequest, PutRequest, RequestOp, TxnRequest } from '../etcd/messages.ts';
import { checkRange, rangeEnd } from './range.ts';

/** etcd's `--max-txn-ops`. */
export const maxTxnOps = 128;

/** @throws EtcdError */
export function checkPut(request: PutRequest): void {
  if (request.key === '') throw etcdErrors.emptyKey();
  if (request.ignoreValue && request.value.length > 0) throw etcdErrors.valueProvided();
  if (request.ignoreLease && request.lease !== 0n) throw etcdErrors.leaseProvided();
}

/** @throws EtcdError */
export function checkDeleteRange(request: DeleteRangeRequest): void {
  if (request.key === '') throw etcdErrors.emptyKey();
}

/**
 * Checks what a Txn asks for before the store is looked at, as etcd does (server/etcdserver/api/v3rpc/key.go).
 * @throws EtcdError
 */
export function checkTxn(request: TxnRequest): void {
  checkOps(request, maxTxnOps);
  checkOverlaps(request.success);
  checkOverlaps(request.failure);
}

function checkOps(request: TxnRequest, allowed: number): void {
  const ops = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (ops > allowed) throw etcdErrors.tooManyOps();
  if (request.compare.some((compare) => compare.key === '')) throw etcdErrors.emptyKey();
  for (const op of [...request.success, ...request.failure]) {
    if (op.requestRange) checkRange(op.requestRange);
    else if (op.requestPut) checkPut(op.requestPut);
    else if (op.requestDeleteRange) checkDeleteRange(op.requestDeleteRange);
    else if (op.requestTxn) checkOps(op.requestTxn, allowed - ops);
    else throw etcdErrors.keyNotFound();
  }
}

interface Interval {
  start: string;
  end: string | null | undefined;
}

interface Touched {
  puts: Set<string>;
  deletes: Interval[];
}

/** No key may be put twice, or put and deleted, in one branch; the two branches of an inner Txn exclude each other. */
function checkOverlaps(ops: RequestOp[]): Touched {
  const puts = new Set<string>();
  const deletes: Interval[] = [];
  for (const { requestDeleteRange: request } of ops) {
    if (request) deletes.push({ start: request.key, end: rangeEnd(request.rangeEnd) });
  }
  const addPut = (key: string, mayRepeat: boolean) => {
    if ((puts.has(key) && !mayRepeat) || deletes.some((interval) => contains(interval, key))) {
      throw etcdErrors.duplicateKey();
    }
    puts.add(key);
  };
  for (const { requestTxn } of ops) {
    if (!requestTxn) continue;
    const success = checkOverlaps(requestTxn.success);
    const failure = checkOverlaps(requestTxn.failure);
    for (const key of success.puts) addPut(key, false);
    for (const key of failure.puts) addPut(key, success.puts.has(key));
    deletes.push(...success.deletes, ...failure.deletes);
  }
  for (const { requestPut } of ops) if (requestPut) addPut(requestPut.key, false);
  return { puts, deletes };
}

function contains({ start, end }: Interval, key: string): boolean {
  if (end === undefined) return key === start;
  return key >= start && (end === null || key < end);
}
