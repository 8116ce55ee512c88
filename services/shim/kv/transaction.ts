import { etcdErrors } from '../etcd/errors.ts';
import type { DeleteRangeRequest, PutRequest, RequestOp, TxnRequest } from '../etcd/messages.ts';
import type { Writer } from '../protobuf/wire.ts';
import { readValue } from '../store/key-value.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import { holds } from './compare.ts';
import { range, rangeEnd } from './range.ts';
import {
  type Header,
  writeDeleteRangeResponse,
  writeHeader,
  writePutResponse,
  writeRangeResponse,
} from './responses.ts';

/**
 * Bytes of changes that one transaction may make. It stands in one record, which is one message: nats-server's `max_payload` of 8 MiB
 * is above. A deletion of a range is what comes near it. Larger messages would stop the leaf link's pings on a slow line.
 */
export const changedBytesMax = 7 * 1024 * 1024;
/** What stands in a record beside key and value of a Put, and beside the key of a deletion, at most, in bytes. */
const putOverheadBytes = 64;
const deletionOverheadBytes = 24;

/** The path that a Txn takes: whether its compares hold, and the same for its inner ones, in order. */
interface Path {
  request: TxnRequest;
  succeeded: boolean;
  inner: Path[];
}

/**
 * One transaction on the head of the store: everything it changes gets one revision. A Put or DeleteRange outside a Txn
 * is one, too. Semantics are those of etcd's server/etcdserver/txn.
 */
export class Transaction {
  readonly #store: Store;
  readonly #leases: ReadonlyMap<bigint, unknown>;
  readonly #begin: number;
  readonly changes: Version[] = [];

  constructor(store: Store, leases: ReadonlyMap<bigint, unknown>) {
    this.#store = store;
    this.#leases = leases;
    this.#begin = store.head;
  }

  /** The revision that this transaction's changes have. */
  get #next(): number {
    return this.#begin + 1;
  }

  /** The revision that its own reads, and its answer's header, have. */
  get revision(): number {
    return this.changes.length > 0 ? this.#next : this.#begin;
  }

  /** @throws EtcdError before anything is changed */
  put(request: PutRequest, writer: Writer, identity: Uint8Array): void {
    this.#checkLease(request);
    this.#checkPrevious(request);
    checkSize(this.#bytesOfPut(request));
    this.#put(request, writer, identity);
  }

  /** @throws EtcdError before anything is changed */
  deleteRange(request: DeleteRangeRequest, writer: Writer, identity: Uint8Array): void {
    checkSize(this.#bytesOfDeletion(request));
    this.#deleteRange(request, writer, identity);
  }

  /** @throws EtcdError before anything is changed */
  txn(request: TxnRequest, writer: Writer, identity: Uint8Array): void {
    const path = this.#choosePath(request);
    this.#checkPath(path);
    // The header stands first and has the revision after the changes, which the ops decide.
    const bytes = this.#bytesOfPath(path);
    checkSize(bytes);
    const revision = bytes > 0 ? this.#next : this.#begin;
    this.#run(path, writer, { identity, revision });
  }

  /** Compares are judged on the state before the transaction, those of inner ones too. */
  #choosePath(request: TxnRequest): Path {
    const succeeded = holds(this.#store, request);
    const inner = branch(request, succeeded).flatMap((op) =>
      op.requestTxn ? [this.#choosePath(op.requestTxn)] : [],
    );
    return { request, succeeded, inner };
  }

  /** In the order of the ops: the first that is wrong is the one that is named. */
  #checkPath(path: Path): void {
    const inner = [...path.inner];
    for (const { requestPut, requestRange, requestTxn } of branch(path.request, path.succeeded)) {
      if (requestPut) {
        // The other way round than for a Put of its own: so does etcd.
        this.#checkPrevious(requestPut);
        this.#checkLease(requestPut);
      }
      if (requestRange) this.#checkRevision(requestRange.revision);
      if (requestTxn) this.#checkPath(inner.shift() as Path);
    }
  }

  /** Unlike a Range of its own, one in a Txn refuses negative revisions; of a store that was never compacted all but -1. */
  #checkRevision(revision: number): void {
    if (revision > this.#begin) throw etcdErrors.futureRevision();
    if (revision !== 0 && revision < (this.#store.compacted || -1)) throw etcdErrors.compacted();
  }

  #checkLease({ lease }: PutRequest): void {
    if (lease !== 0n && !this.#leases.has(lease)) throw etcdErrors.leaseNotFound();
  }

  #checkPrevious({ key, ignoreValue, ignoreLease }: PutRequest): void {
    if ((ignoreValue || ignoreLease) && !this.#store.current(key)) throw etcdErrors.keyNotFound();
  }

  /** At most how many bytes the path changes; 0 when it changes nothing, as a deletion of nothing. */
  #bytesOfPath({ request, succeeded, inner }: Path): number {
    let bytes = 0;
    for (const { requestPut, requestDeleteRange } of branch(request, succeeded)) {
      if (requestPut) bytes += this.#bytesOfPut(requestPut);
      else if (requestDeleteRange) bytes += this.#bytesOfDeletion(requestDeleteRange);
    }
    for (const path of inner) bytes += this.#bytesOfPath(path);
    return bytes;
  }

  #bytesOfPut({ key, value, ignoreValue }: PutRequest): number {
    const valueBytes = ignoreValue ? (this.#store.current(key)?.length ?? 0) : value.length;
    return key.length + valueBytes + putOverheadBytes;
  }

  #bytesOfDeletion(request: DeleteRangeRequest): number {
    let bytes = 0;
    for (const { entry } of this.#keysIn(request)) bytes += entry.key.length + deletionOverheadBytes;
    return bytes;
  }

  #run(path: Path, writer: Writer, header: Header): void {
    writeHeader(writer, header);
    if (path.succeeded) {
      writer.byte(0x10);
      writer.byte(1);
    }
    const inner = [...path.inner];
    for (const op of branch(path.request, path.succeeded)) {
      writer.byte(0x1a);
      writer.nested(() => this.#runOp(op, inner, writer));
    }
  }

  #runOp(op: RequestOp, inner: Path[], writer: Writer): void {
    if (op.requestRange) {
      const { requestRange: request } = op;
      const result = range(this.#store, request, this.revision);
      writer.byte(0x0a);
      writer.nested(() => writeRangeResponse(writer, innerHeader(result.revision), result, request.keysOnly));
    } else if (op.requestPut) {
      const { requestPut: request } = op;
      writer.byte(0x12);
      writer.nested(() => this.#put(request, writer, noIdentity));
    } else if (op.requestDeleteRange) {
      const { requestDeleteRange: request } = op;
      writer.byte(0x1a);
      writer.nested(() => this.#deleteRange(request, writer, noIdentity));
    } else if (op.requestTxn) {
      const path = inner.shift() as Path;
      writer.byte(0x22);
      writer.nested(() => this.#run(path, writer, innerHeader(0)));
    }
  }

  #put(request: PutRequest, writer: Writer, identity: Uint8Array): void {
    const before = this.#store.current(request.key);
    const value = request.ignoreValue && before ? readValue(before.bytes) : request.value;
    const lease = request.ignoreLease && before ? before.lease : request.lease;
    this.changes.push(this.#store.put(this.#next, request.key, value, lease));
    writePutResponse(writer, { identity, revision: this.revision }, request.prevKv ? before : undefined);
  }

  #deleteRange(request: DeleteRangeRequest, writer: Writer, identity: Uint8Array): void {
    const before = this.#keysIn(request);
    for (const version of before) this.changes.push(this.#store.delete(this.#next, version.entry.key));
    const previous = request.prevKv ? before : [];
    writeDeleteRangeResponse(writer, { identity, revision: this.revision }, before.length, previous);
  }

  #keysIn(request: DeleteRangeRequest): Version[] {
    const end = rangeEnd(request.rangeEnd);
    return this.#store.range({ key: request.key, end, revision: this.revision });
  }
}

const noIdentity = Buffer.alloc(0);

function innerHeader(revision: number): Header {
  return { identity: noIdentity, revision };
}

function branch(request: TxnRequest, succeeded: boolean): RequestOp[] {
  return succeeded ? request.success : request.failure;
}

/** @throws EtcdError */
function checkSize(changedBytes: number): void {
  if (changedBytes > changedBytesMax) throw etcdErrors.requestTooLarge();
}
