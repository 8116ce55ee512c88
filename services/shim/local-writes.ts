import { NatsError } from 'nats';
import type { Logger } from '../../shared/logger.ts';
import type { WriteMethod, Writes } from './backend.ts';
import { resolveRequest } from './conflicts/resolve.ts';
import {
  answerTooLarge,
  changedSince,
  EtcdError,
  etcdErrors,
  malformed,
  noSuchConflict,
  unimplemented,
} from './etcd/errors.ts';
import { headerAt } from './etcd/identity.ts';
import {
  alarmAction,
  alarmRequest,
  alarmResponse,
  alarmType,
  compactionRequest,
  compactionResponse,
  deleteRangeRequest,
  leaseGrantRequest,
  leaseGrantResponse,
  leaseKeepAliveRequest,
  leaseKeepAliveResponse,
  leaseLeasesResponse,
  leaseRevokeRequest,
  leaseRevokeResponse,
  leaseTimeToLiveRequest,
  leaseTimeToLiveResponse,
  putRequest,
  txnRequest,
} from './etcd/messages.ts';
import { checkDeleteRange, checkPut, checkTxn } from './kv/check-txn.ts';
import { Transaction } from './kv/transaction.ts';
import type { LeaseExpiry } from './lease/expiry.ts';
import { FencedError, StoreFullError } from './log/fenced-publisher.ts';
import { type GroupCommit, type LogPosition, OverloadedError } from './log/group-commit.ts';
import type { Cause, Entry } from './log/record.ts';
import { WireError, Writer } from './protobuf/wire.ts';
import { costOfPut, costOfTxn, leaseCostBytes, type Quota } from './quota.ts';
import type { Alarm } from './store/alarms.ts';
import type { Database } from './store/database.ts';
import type { Version } from './store/version.ts';

/** etcd's least and largest lease TTL, in seconds: a shorter one is lengthened, as by an etcd with its default timeouts. */
const leaseTtlMinSeconds = 2;
const leaseTtlMaxSeconds = 9_000_000_000;
/** How often it is looked for leases whose time is over, in ms, and how many of them are ended then: etcd's thousand a second. */
const expiryIntervalMs = 500;
const expiredMax = 500;
/** How long a write waits at the quota while the log is cleaned, in ms; a follower that is away is waited for 10 s. */
const roomLimitMs = 20_000;
/** Versions that are freed in one turn of the event loop after a compaction. */
const sweepStep = 2_000;

export interface LocalWritesOptions {
  database: Database;
  commit: GroupCommit;
  expiry: LeaseExpiry;
  /** The fixed part of each response header. */
  identity: Uint8Array;
  /** The member that raises an alarm when there is no room left. */
  memberId: bigint;
  quota: Quota;
  /** Makes a lease id for a client that leaves the choice to the server; ids of the two nodes are disjoint. */
  newLeaseId: () => bigint;
  /** A clock that never goes back, in milliseconds. */
  monotonicMs: () => number;
  /** Called with the changes of each transaction, before they are in the log. What it returns is called if the log refuses them. */
  onChanges?: (changes: readonly Version[], cause: Cause) => () => void;
  /** Called when a compaction is in the log. */
  onCompacted?: () => void;
  /** Frees some of the log if it can; resolves with whether it is worth looking for room again. */
  makeRoom?: () => Promise<boolean>;
  logger: Logger;
}

/** Writes into a log that this node owns: the leader's log, or a follower's overlay. */
export class LocalWrites implements Writes {
  readonly #options: LocalWritesOptions;
  readonly #expiryTimer: NodeJS.Timeout;
  #sweeping = false;

  constructor(options: LocalWritesOptions) {
    this.#options = options;
    const { database, expiry, monotonicMs } = options;
    for (const [id, ttlSeconds] of database.leases) expiry.start(id, ttlSeconds, monotonicMs());
    this.#expiryTimer = setInterval(() => this.#expire(), expiryIntervalMs);
    this.#sweep();
  }

  /** Ends the writer in order: what waits is finished. Returns where the log stands then. */
  async finish(): Promise<LogPosition> {
    clearInterval(this.#expiryTimer);
    this.#options.quota.stop();
    await this.#options.commit.settled().catch(() => undefined);
    this.#options.commit.stop(new FencedError('the writer was closed'));
    return this.#options.commit.position;
  }

  /** Ends the writer: what waits is rejected, leases are left to who comes next. */
  stop(error: Error): void {
    clearInterval(this.#expiryTimer);
    this.#options.quota.stop();
    this.#options.expiry.clear();
    this.#options.commit.stop(error);
  }

  async write(
    method: WriteMethod,
    request: Buffer,
    answerBytesMax = Number.POSITIVE_INFINITY,
  ): Promise<Uint8Array> {
    try {
      this.#options.commit.checkAccepting();
      const answer = await this.#dispatch(method, request, answerBytesMax);
      // Of those that change something only a transaction's answer is large, and that is checked before.
      checkAnswer(answer.length, answerBytesMax);
      return answer;
    } catch (error) {
      if (error instanceof StoreFullError) await this.#raiseNoSpace();
      throw toEtcdError(error as Error);
    }
  }

  #dispatch(method: WriteMethod, request: Buffer, answerBytesMax: number): Promise<Uint8Array> {
    switch (method) {
      case 'Put':
        return this.#put(request, answerBytesMax);
      case 'DeleteRange':
        return this.#deleteRange(request, answerBytesMax);
      case 'Txn':
        return this.#txn(request, answerBytesMax);
      case 'Compact':
        return this.#compact(request);
      case 'LeaseGrant':
        return this.#leaseGrant(request);
      case 'LeaseRevoke':
        return this.#leaseRevoke(request);
      case 'LeaseKeepAlive':
        return this.#leaseKeepAlive(request);
      case 'LeaseTimeToLive':
        return this.#leaseTimeToLive(request);
      case 'LeaseLeases':
        return this.#leaseLeases();
      case 'Alarm':
        return this.#alarm(request);
      case 'ResolveConflict':
        return this.#resolveConflict(request);
    }
  }

  async #put(bytes: Buffer, answerBytesMax: number): Promise<Uint8Array> {
    const request = putRequest.decode(bytes);
    checkPut(request);
    await this.#takeRoom(costOfPut(request));
    return this.#transact(answerBytesMax, (transaction, writer) =>
      transaction.put(request, writer, this.#options.identity),
    );
  }

  async #deleteRange(bytes: Buffer, answerBytesMax: number): Promise<Uint8Array> {
    const request = deleteRangeRequest.decode(bytes);
    checkDeleteRange(request);
    return this.#transact(answerBytesMax, (transaction, writer) =>
      transaction.deleteRange(request, writer, this.#options.identity),
    );
  }

  async #txn(bytes: Buffer, answerBytesMax: number): Promise<Uint8Array> {
    const request = txnRequest.decode(bytes);
    checkTxn(request);
    await this.#takeRoom(costOfTxn(request));
    return this.#transact(answerBytesMax, (transaction, writer) =>
      transaction.txn(request, writer, this.#options.identity),
    );
  }

  /**
   * Takes the room for a write that needs some. Where there is none the NOSPACE alarm is raised, and until it is disarmed
   * such writes are refused; deletions and compactions are not.
   * @throws EtcdError
   */
  #takeRoom(costBytes: number): Promise<void> | undefined {
    const { database, quota } = this.#options;
    if (costBytes === 0) return;
    if (database.alarms.isRaised('NOSPACE')) throw etcdErrors.noSpace();
    if (quota.take(costBytes)) return;
    return this.#takeLastRoom(costBytes);
  }

  /**
   * At the quota a write waits while cleaning goes on, so that writers do not outrun it. There is no room when there is
   * nothing to clean.
   */
  async #takeLastRoom(costBytes: number): Promise<void> {
    const { quota, makeRoom, monotonicMs } = this.#options;
    const deadline = monotonicMs() + roomLimitMs;
    do {
      await quota.refresh();
      if (quota.take(costBytes)) return;
      // Nothing was done yet: it may be tried again.
      if (monotonicMs() > deadline) throw etcdErrors.timeout();
    } while (await makeRoom?.());
    await this.#raiseNoSpace();
    throw etcdErrors.noSpace();
  }

  /** The alarm may itself find no room; then it is raised by the next write that needs some. */
  async #raiseNoSpace(): Promise<void> {
    const { memberId, logger } = this.#options;
    await this.#setAlarm({ memberId, type: 'NOSPACE' }, true).catch((error: unknown) =>
      logger.warn({ err: error }, 'the NOSPACE alarm could not be written'),
    );
  }

  /** Returns whether that changed anything. */
  async #setAlarm(alarm: Alarm, raised: boolean): Promise<boolean> {
    const { alarms } = this.#options.database;
    const change = () => (raised ? alarms.raise(alarm) : alarms.disarm(alarm));
    const undo = () => (raised ? alarms.disarm(alarm) : alarms.raise(alarm));
    if (!change()) return false;
    this.#options.logger.warn({ type: alarm.type, raised }, 'alarm');
    await this.#options.commit.append([{ kind: 'alarm', ...alarm, raised }], undo);
    return true;
  }

  async #alarm(bytes: Buffer): Promise<Uint8Array> {
    const { action, memberId, alarm: type } = alarmRequest.decode(bytes);
    if (type === alarmType.corrupt) throw unimplemented('the alarm CORRUPT');
    const known = type === alarmType.noSpace && action !== alarmAction.get;
    const activate = action === alarmAction.activate;
    if (known) await this.#options.quota.refresh();
    const changed = known && (await this.#setAlarm({ memberId, type: 'NOSPACE' }, activate));
    // etcd answers with the alarm when it is raised already, and with nothing when there was none to disarm.
    const alarms = changed || (known && activate) ? [{ memberId, alarm: type }] : [];
    return alarmResponse.encode({ header: this.#header(), alarms });
  }

  /** Runs a transaction on the head and waits until it is acknowledged, and with it all that it was judged on. */
  async #transact(
    answerBytesMax: number,
    run: (transaction: Transaction, writer: Writer) => void,
  ): Promise<Uint8Array> {
    const { database, commit } = this.#options;
    // While it waited for room the writer may have ended: then nothing may be left in the store.
    commit.checkAccepting();
    const transaction = new Transaction(database.store, database.leases);
    const writer = new Writer();
    const begin = database.store.head;
    try {
      run(transaction, writer);
      checkAnswer(writer.length, answerBytesMax);
    } catch (error) {
      // Such as an answer that is larger than the memory: what is not in the log must not stay in the store.
      database.store.rollback(begin);
      throw error;
    }
    if (transaction.changes.length === 0) {
      await commit.settled();
    } else {
      const undo = this.#options.onChanges?.(transaction.changes, 'client');
      await commit.append([revisionEntry(transaction, 'client')], undo);
    }
    return writer.finish();
  }

  /** Ends a conflict, and writes the version that lost if the key still is what the person saw: in one record. */
  async #resolveConflict(bytes: Buffer): Promise<Uint8Array> {
    const { database, commit } = this.#options;
    const { id, apply, key, deleted, value, revision } = resolveRequest.decode(bytes);
    if (apply && !deleted) await this.#takeRoom(costOfPut({ ...plainPut, key, value }));
    const conflict = database.conflicts.get(id);
    if (conflict?.key !== key) throw noSuchConflict(id);
    const transaction = new Transaction(database.store, database.leases);
    if (apply) {
      const current = database.store.current(key)?.modRevision ?? 0;
      if (current !== revision) throw changedSince(key, current, revision);
      const discard = new Writer();
      if (deleted) transaction.deleteRange({ key, rangeEnd: '', prevKv: false }, discard, emptyIdentity);
      else transaction.put({ ...plainPut, key, value }, discard, emptyIdentity);
    }
    const how = apply ? 'applied' : 'dropped';
    database.conflicts.end(id, how);
    const entries: Entry[] = [{ kind: 'conflict-end', id, how }];
    if (transaction.changes.length > 0) entries.unshift(revisionEntry(transaction, 'client'));
    await commit.append(entries, () => database.conflicts.add(conflict));
    return emptyIdentity;
  }

  async #compact(bytes: Buffer): Promise<Uint8Array> {
    const { database, commit } = this.#options;
    const { revision } = compactionRequest.decode(bytes);
    const { store } = database;
    if (revision <= store.compacted) throw etcdErrors.compacted();
    if (revision > store.visible) throw etcdErrors.futureRevision();
    await commit.append([{ kind: 'compact', revision }]);
    store.compact(revision);
    this.#sweep();
    this.#options.onCompacted?.();
    return compactionResponse.encode({ header: this.#header() });
  }

  /** Frees what compaction left behind, a step at a time so that callers are served in between. */
  #sweep(): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    const step = () => {
      if (this.#options.database.store.sweep(sweepStep)) setImmediate(step);
      else this.#sweeping = false;
    };
    step();
  }

  async #leaseGrant(bytes: Buffer): Promise<Uint8Array> {
    const { database, commit, expiry, newLeaseId, monotonicMs } = this.#options;
    const request = leaseGrantRequest.decode(bytes);
    if (request.ttl > leaseTtlMaxSeconds) throw etcdErrors.leaseTtlTooLarge();
    await this.#takeRoom(leaseCostBytes);
    const id = request.id === 0n ? newLeaseId() : request.id;
    if (database.leases.has(id)) throw etcdErrors.leaseExists();
    const ttlSeconds = Math.max(request.ttl, leaseTtlMinSeconds);
    database.leases.set(id, ttlSeconds);
    await commit.append([{ kind: 'lease-grant', id, ttlSeconds }], () => database.leases.delete(id));
    expiry.start(id, ttlSeconds, monotonicMs());
    return leaseGrantResponse.encode({ header: this.#header(), id, ttl: ttlSeconds });
  }

  async #leaseRevoke(bytes: Buffer): Promise<Uint8Array> {
    const { id } = leaseRevokeRequest.decode(bytes);
    if (!this.#options.database.leases.has(id)) throw etcdErrors.leaseNotFound();
    await this.#endLease(id, 'client');
    return leaseRevokeResponse.encode({ header: this.#header() });
  }

  /** Deletes a lease and its keys, in one revision. */
  #endLease(id: bigint, cause: Cause): Promise<void> {
    const { database, commit, expiry } = this.#options;
    const transaction = new Transaction(database.store, database.leases);
    const discard = new Writer();
    for (const key of database.store.leasedKeys(id).sort()) {
      transaction.deleteRange({ key, rangeEnd: '', prevKv: false }, discard, emptyIdentity);
    }
    const ttlSeconds = database.leases.get(id) ?? 0;
    database.leases.delete(id);
    const entries: Entry[] = [{ kind: 'lease-revoke', id }];
    const undoChanges = this.#options.onChanges?.(transaction.changes, cause);
    if (transaction.changes.length > 0) entries.unshift(revisionEntry(transaction, cause));
    const undo = () => {
      undoChanges?.();
      database.leases.set(id, ttlSeconds);
    };
    return commit.append(entries, undo).then(() => expiry.stop(id));
  }

  /** Ends the leases whose time is over. One that cannot be ended now gets another TTL, and is tried again then. */
  #expire(): void {
    const { database, expiry, monotonicMs, logger } = this.#options;
    for (const id of expiry.due(monotonicMs(), expiredMax)) {
      const ttlSeconds = database.leases.get(id);
      if (ttlSeconds === undefined) continue;
      this.#endLease(id, 'lease-expiry').catch((error: unknown) => {
        logger.warn({ err: error, lease: id.toString(16) }, 'a lease could not be ended');
        expiry.start(id, ttlSeconds, monotonicMs());
      });
    }
  }

  async #leaseKeepAlive(bytes: Buffer): Promise<Uint8Array> {
    const { database, expiry, monotonicMs } = this.#options;
    const { id } = leaseKeepAliveRequest.decode(bytes);
    const known = expiry.remainingMs(id, monotonicMs()) !== undefined;
    const ttl = (known && database.leases.get(id)) || 0;
    // etcd answers for a lease that is gone with a TTL of 0, not with an error.
    if (ttl > 0) expiry.start(id, ttl, monotonicMs());
    return leaseKeepAliveResponse.encode({ header: this.#header(), id, ttl });
  }

  async #leaseTimeToLive(bytes: Buffer): Promise<Uint8Array> {
    const { database, expiry, monotonicMs } = this.#options;
    const { id, keys } = leaseTimeToLiveRequest.decode(bytes);
    const grantedTtl = database.leases.get(id);
    const remainingMs = expiry.remainingMs(id, monotonicMs());
    if (grantedTtl === undefined || remainingMs === undefined) {
      return leaseTimeToLiveResponse.encode({ header: this.#header(), id, ttl: -1 });
    }
    return leaseTimeToLiveResponse.encode({
      header: this.#header(),
      id,
      ttl: Math.floor(remainingMs / 1_000),
      grantedTtl,
      keys: keys ? database.store.leasedKeys(id).sort() : [],
    });
  }

  async #leaseLeases(): Promise<Uint8Array> {
    const leases = [...this.#options.database.leases.keys()].map((id) => ({ id }));
    return leaseLeasesResponse.encode({ header: this.#header(), leases });
  }

  #header() {
    return headerAt(this.#options.identity, this.#options.database.store.visible);
  }
}

const emptyIdentity = Buffer.alloc(0);
const plainPut = { lease: 0n, prevKv: false, ignoreValue: false, ignoreLease: false };

function revisionEntry(transaction: Transaction, cause: Cause): Entry {
  const changes = transaction.changes.map((version) => version.bytes);
  return { kind: 'revision', revision: transaction.revision, cause, changes };
}

/** @throws EtcdError */
function checkAnswer(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) throw answerTooLarge(bytes, bytesMax);
}

/** What a client is told of a write that failed. @throws the error itself when it is a fault of ours */
export function toEtcdError(error: Error): EtcdError {
  if (error instanceof EtcdError) return error;
  if (error instanceof WireError) return malformed(error.message);
  // Of the store, or of the file system beside it: a follower alone notes there that it goes on.
  if (error instanceof StoreFullError || (error as NodeJS.ErrnoException).code === 'ENOSPC')
    return etcdErrors.noSpace();
  if (error instanceof OverloadedError) return etcdErrors.tooManyRequests();
  if (error instanceof FencedError) return etcdErrors.leaderChanged();
  // The node's own nats-server is away, or stopped: the log is not open in time.
  if (error instanceof NatsError) return etcdErrors.timeout();
  throw error;
}
