import { existsSync, rmSync } from 'node:fs';
import { logStream } from '../../../shared/nats-server/names.ts';
import type { NodeState } from '../../../shared/node.ts';
import { subjects } from '../../../shared/subjects.ts';
import type { ClusterView, WriteMethod } from '../backend.ts';
import { publishChanges } from '../change-feed.ts';
import { etcdErrors, permissionDenied } from '../etcd/errors.ts';
import { headerIdentity, idOf } from '../etcd/identity.ts';
import { LeaseExpiry } from '../lease/expiry.ts';
import { newLeaseIds } from '../lease/ids.ts';
import { LocalWrites } from '../local-writes.ts';
import { LogCleaner } from '../log/cleaner.ts';
import type { GroupCommit, LogPosition } from '../log/group-commit.ts';
import { LogHealth } from '../log/log-health.ts';
import { beginEpoch, nextEpoch, type OwnedLog, openLog, openLogWriter } from '../log/owned-log.ts';
import { ReconnectCheck } from '../log/reconnect-check.ts';
import { decodeRecord, type Entry } from '../log/record.ts';
import { chainAt, findLogStreams, readMessage } from '../log/stream.ts';
import { Quota, streamBytesMax } from '../quota.ts';
import { Arbiter } from '../replication/arbiter.ts';
import { LeaderReplication } from '../replication/leader.ts';
import { jumpTo, mergeBatch } from '../replication/merge.ts';
import { readOverlay, removeOverlay } from '../replication/overlay.ts';
import { answerBytesMax } from '../replication/protocol.ts';
import { ledByPeer, takeOver } from '../replication/role-swap.ts';
import type { DatastoreFacts } from '../state/service.ts';
import type { Database } from '../store/database.ts';
import { bandStart, leaderBandAfterBoot } from '../store/revision-band.ts';
import { WatchHub } from '../watch/watch-hub.ts';
import { enforce } from './enforce.ts';
import { clusterMembers } from './members.ts';
import { identityOf, type NodeContext, type ReplicationView, type ShimNode } from './node.ts';
import { PeerPing } from './peer-ping.ts';

/** How often the verified point is saved, in milliseconds. */
const verifiedPointIntervalMs = 10_000;
/**
 * A follower that is away for this long, in milliseconds, is waited for only until the log fills this part of its quota: it
 * must not cause NOSPACE.
 */
const awayAfterMs = 10_000;
const awayFillMax = 0.75;

/** The configured leader: owns the log, once it is verified. */
export class LeaderNode implements ShimNode {
  readonly #context: NodeContext;
  /** The stream that holds the log. */
  readonly #stream: string;
  readonly #log: OwnedLog;
  /** Why this node can never lead the log that it has, as the roles are; null when it can. */
  readonly #refusal: string | null;
  readonly #arbiter: Arbiter;
  readonly #replication: LeaderReplication;
  readonly #ping: PeerPing;
  readonly #health: LogHealth;
  readonly #timer: NodeJS.Timeout;
  readonly watches: WatchHub;
  readonly #memberId: bigint;
  #identity: Buffer;
  readonly cluster: ClusterView;
  #commit: GroupCommit | null = null;
  #writes: LocalWrites | null = null;
  #cleaner: LogCleaner | null = null;
  #reconnectCheck: ReconnectCheck | null = null;
  #opening: Promise<void> | null = null;
  #lastSavedMs = 0;
  /** What this node's log holds is known to be all that it ever acknowledged: its log was open in this boot. */
  #isProven = false;
  /** It was stopped on purpose in an earlier boot, and its log ends where it ended then. */
  #wasStopped = false;

  private constructor(context: NodeContext, stream: string, log: OwnedLog, refusal: string | null) {
    this.#context = context;
    this.#refusal = refusal;
    this.#stream = stream;
    this.#log = log;
    const { config, pair, connection, manager, logger } = context;
    this.#memberId = idOf(`${config.cluster}/${pair.self.name}`);
    this.#identity = headerIdentity(idOf(config.cluster), this.#memberId, log.database.epoch?.number ?? 0);
    this.watches = new WatchHub(log.database.store);
    this.cluster = {
      memberId: this.#memberId,
      leaderId: () => (this.#writes ? this.#memberId : 0n),
      term: () => log.database.epoch?.number ?? 0,
      logSequence: () => this.#position.sequence,
      pendingWrites: () => this.#commit?.waiting ?? 0,
      logBytes: log.bytes,
      quotaBytes: config.datastore.quotaBackendBytes,
      members: () => clusterMembers(config),
    };
    this.#health = new LogHealth({
      probe: async () => this.#commit?.append(epochEntries(log.database)),
      onChange: () => {
        if (this.#health.failure) logger.error({ failure: this.#health.failure }, 'the log takes no writes');
        else logger.info('the log takes writes again');
        context.onFacts();
      },
    });
    this.#arbiter = new Arbiter({
      policy: config.datastore.conflictPolicy,
      clockOffsetMs: () => context.state().clockOffsetMs,
      timeOf: (revision) => timeOf(context, stream, log, revision),
      logger,
    });
    this.#replication = new LeaderReplication({
      connection,
      manager,
      self: pair.self.name,
      peer: pair.peer.name,
      stream,
      ...config.datastore,
      ackTimeoutMs: config.datastore.ackTimeout,
      identity: identityOf(context),
      log,
      maxBytes: streamBytesMax(config.datastore.quotaBackendBytes),
      arbiter: this.#arbiter,
      position: () => this.#position,
      restoreMark: context.paths.restoreMark,
      takesWrites: () => this.#health.failure === null,
      isOpening: () => this.#opening !== null,
      onCompared: (isPrefix, usedRevision) => this.#compared(isPrefix, usedRevision),
      onRestored: () => context.restart(`the log is restored from ${pair.peer.name}`),
      write: (method, request, sender) => this.#writeForPeer(method, request, sender),
      logger,
    });
    this.#ping = new PeerPing(context, () => {
      if (!this.#ping.answers) this.#replication.replicated.leave('the peer does not answer');
      context.onFacts();
    });
    this.#timer = setInterval(() => this.#tick(), 1_000);
  }

  /**
   * Reads the log and, where that is safe at once, opens it for writing.
   * @throws UserError when a record is of a newer version
   */
  static async open(context: NodeContext): Promise<LeaderNode> {
    const { connection, manager, config, logger } = context;
    const [stream = logStream(1)] = await findLogStreams(manager);
    const maxBytes = streamBytesMax(config.datastore.quotaBackendBytes);
    const log = await openLog({ connection, stream, subject: subjects.logRecords, maxBytes, logger });
    const refusal = await takeOver(context, stream, log.database);
    if (refusal) logger.error({ refusal }, 'this node cannot lead');
    else await log.raiseLimit();
    const node = new LeaderNode(context, stream, log, refusal);
    if (refusal) return node;
    await node.#replication.start();
    node.#ping.start();
    node.#isProven = await node.#mayOpenAtOnce();
    if (node.#isProven) await node.#open();
    else node.#wasStopped = await node.#endsWhereItStopped();
    return node;
  }

  get #judge() {
    const { lists, pair, onJudged } = this.#context;
    return { lists, node: pair.self.name, onJudged };
  }

  get database() {
    return this.#log.database;
  }

  get identity(): Uint8Array {
    return this.#identity;
  }

  get #position(): LogPosition {
    return this.#commit?.position ?? this.#log.position;
  }

  /** A log that is known to lack records is no copy of the cluster: nobody may take it for one. */
  async linearizable(): Promise<void> {
    const isEmpty = this.#log.position.sequence === 0 && !this.#commit;
    if (isEmpty || this.#log.fault !== null || this.#replication.lacksRecords) throw etcdErrors.noLeader();
  }

  async write(method: WriteMethod, request: Buffer): Promise<Uint8Array> {
    const { state } = this.#context;
    const writes = this.#writable();
    const current = state();
    enforce(this.#judge, current.state, current, { method, request, store: this.database.store });
    return writes.write(method, request);
  }

  /** An Impaired leader takes for a LeaderRX peer what that one may write: its log works, it is something else that failed. */
  async #writeForPeer(method: WriteMethod, request: Buffer, sender: NodeState): Promise<Uint8Array> {
    const { state } = this.#context;
    const writes = this.#writable();
    const current = state();
    const judged = current.state === 'Impaired' && sender === 'LeaderRX' ? 'LeaderRX' : current.state;
    enforce(this.#judge, judged, current, { method, request, store: this.database.store });
    return writes.write(method, request, answerBytesMax);
  }

  #writable(): LocalWrites {
    if (this.#writes) return this.#writes;
    const { state, text } = this.#context.state();
    throw permissionDenied(`twonode: ${state}: write refused: ${text || 'the log is not verified yet'}`);
  }

  facts(): DatastoreFacts {
    return {
      logVerified: this.#writes !== null,
      neverJoined: false,
      logLink: this.#ping.answers ? 'works' : 'down',
      reconverged: true,
      epoch: this.cluster.term(),
      revision: this.database.store.visible,
      conflicts: this.database.conflicts.forPeople,
      failure: this.#health.failure ?? this.#mustNotLead,
      notices: this.#notices(),
    };
  }

  /** Why this node does not lead though it is configured to: its log lacks what the peer holds, or is the peer's. */
  get #mustNotLead(): string | null {
    if (this.#refusal !== null) return this.#refusal;
    if (this.#writes) return null;
    return this.#lacksRecords() ?? ledByPeer(this.#context, this.database);
  }

  /** What a log lacks that was not given back whole is on the peer's disk: only a person can say that it is gone. */
  #lacksRecords(): string | null {
    const { pair, paths } = this.#context;
    if (!this.#replication.lacksRecords || existsSync(paths.promoteMark)) return null;
    return (
      `${pair.self.name} lacks records of the log which ${pair.peer.name} holds, and leads when it has them: start ${pair.peer.name}, ` +
      'or, if its disk is gone for good, see "twonode promote"'
    );
  }

  #notices(): string[] {
    const { config, pair } = this.#context;
    const notices: string[] = [];
    if (this.#replication.notice) notices.push(this.#replication.notice);
    else if (this.#log.fault) notices.push(`the log is not whole: ${this.#log.fault}`);
    if (this.#writes && config.datastore.ack === 'both' && !this.#replication.replicated.following)
      notices.push(`writes are on this node's disk alone: ${pair.peer.name} does not follow`);
    return notices;
  }

  replication(): ReplicationView {
    const { following, stored } = this.#replication.replicated;
    return { linkWorks: this.#ping.answers, following, stored, lagRevisions: null, lagSeconds: null };
  }

  stateChanged(): void {}

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#ping.stop();
    this.#replication.stop();
    await this.#cleaner?.stop();
    this.#reconnectCheck?.stop();
    this.#health.stop();
    const position = await this.#writes?.finish();
    if (position) this.#context.verifiedPoint.keepStopped(position);
  }

  async #endsWhereItStopped(): Promise<boolean> {
    const { verifiedPoint, manager } = this.#context;
    const stopped = verifiedPoint.stopped();
    if (!stopped || this.#log.fault !== null || stopped.sequence !== this.#log.position.sequence)
      return false;
    return (await chainAt(manager, this.#stream, stopped.sequence)) === stopped.chain;
  }

  /** A new cluster with its one-use mark, or the same boot of the machine with the verified point unchanged. */
  async #mayOpenAtOnce(): Promise<boolean> {
    const { paths, verifiedPoint, manager, logger } = this.#context;
    const { sequence } = this.#log.position;
    if (this.#log.fault !== null || this.#mustNotLead !== null) return false;
    // Promoted, it goes on above what it lacks.
    if (this.#replication.lacksRecords) return false;
    // The mark is for one use: it must not outlive the store that it began.
    if (sequence > 0) rmSync(paths.initMark, { force: true });
    if (sequence === 0) {
      if (existsSync(paths.initMark)) return true;
      logger.error('the store is empty: "twonode init" on this node begins a new cluster');
      return false;
    }
    const point = verifiedPoint.load();
    if (!point || point.sequence > sequence) return false;
    if (point.sequence === 0) return true;
    return (await chainAt(manager, this.#stream, point.sequence)) === point.chain;
  }

  /**
   * The follower's log holds nothing that ours lacks, or both went apart. An empty log without its mark is none that could be
   * compared. A follower whose log is a prefix of ours does not lead it, whatever the log says.
   */
  async #compared(isPrefix: boolean, usedRevision: number): Promise<void> {
    if (this.#log.fault !== null || this.#refusal !== null || this.#lacksRecords() !== null) return;
    if (!isPrefix && this.#mustNotLead !== null) return;
    if (this.#log.position.sequence === 0 && !existsSync(this.#context.paths.initMark)) return;
    await this.#open(isPrefix ? usedRevision : null);
  }

  /**
   * Takes the next epoch and opens the log for writing; only the first call does anything.
   * @param usedRevision the newest one that the follower knows of, where its log is a prefix of this one; null: that is not so,
   * or nobody was asked
   */
  #open(usedRevision: number | null = null): Promise<void> {
    this.#opening ??= this.#openOnce(usedRevision).catch((error: unknown) => {
      // It is tried again when the follower says hello, or at the next tick.
      this.#opening = null;
      throw error;
    });
    return this.#opening;
  }

  async #openOnce(usedRevision: number | null): Promise<void> {
    const { connection, config, pair, paths, verifiedPoint, logger, onFacts } = this.#context;
    const { database } = this.#log;
    verifiedPoint.goOn();
    if (this.#replication.lacksRecords) await this.#replication.giveUpMissing();
    const epoch = nextEpoch(database, this.#log.position);
    const commit = await openLogWriter({
      connection,
      stream: this.#stream,
      subject: subjects.logRecords,
      maxBytes: streamBytesMax(config.datastore.quotaBackendBytes),
      logger,
      log: this.#log,
      epoch: epoch.number,
      beforeWrite: () => this.#noteBand(),
      onWritten: this.#context.onWritten,
      replicated: (sequence) => this.#replication.replicated.wait(sequence),
      onVisible: (from, to) => {
        this.watches.notify(from, to);
        this.#replication.announce(to);
        publishChanges(connection, pair.self.name, database.store, from, to);
      },
      onFenced: (error) => this.#context.onLost(error),
      health: this.#health,
    });
    this.#checkOnReconnect(commit);
    const isForeign = (database.leadership?.node ?? pair.self.name) !== pair.self.name;
    // Handed over without a word, or maybe not all that it was: clients may know of revisions that are not here.
    const jump = isForeign || !this.#isComplete(usedRevision) ? this.#jump(usedRevision ?? 0) : [];
    try {
      await beginEpoch(commit, database, epoch, pair.self.name, jump);
      await this.#mergeOwnOverlay(commit);
    } catch (error) {
      // It is tried again, by another writer.
      commit.stop(error as Error);
      throw error;
    }
    this.#identity = headerIdentity(idOf(config.cluster), this.#memberId, epoch.number);
    this.#commit = commit;
    this.#writes = new LocalWrites({
      database,
      commit,
      expiry: new LeaseExpiry(),
      identity: this.#identity,
      memberId: this.#memberId,
      quota: new Quota(config.datastore.quotaBackendBytes, this.#log.bytes),
      newLeaseId: newLeaseIds(0),
      monotonicMs: () => performance.now(),
      onCompacted: () => this.#cleaner?.poke(),
      makeRoom: async () => (await this.#cleaner?.makeRoom()) ?? false,
      logger,
    });
    this.#cleaner = this.#openCleaner(commit);
    this.#replication.open({ epoch, commit });
    verifiedPoint.keep(commit.position);
    rmSync(paths.initMark, { force: true });
    rmSync(paths.promoteMark, { force: true });
    logger.info({ epoch: epoch.number, sequence: commit.position.sequence }, 'the log is open for writing');
    onFacts();
  }

  /** What this node wrote alone when it was the follower. */
  async #mergeOwnOverlay(commit: GroupCommit): Promise<void> {
    const { config, connection, pair, logger } = this.#context;
    const quotaBytes = config.datastore.quotaBackendBytes;
    const overlay = await readOverlay(
      { ...this.#context, quotaBytes },
      { stream: this.#stream, last: this.#log.position.sequence },
    );
    if (!overlay) return;
    const { database } = this.#log;
    const { id, revision, entries, conflicts } = overlay;
    const names = { leader: pair.peer.name, follower: pair.self.name };
    await mergeBatch(
      { arbiter: this.#arbiter, database, commit, ...names, now: Date.now, logger },
      { overlay: id, revision, entries, conflicts, last: true },
    );
    await removeOverlay(connection);
    logger.info({ overlay: id, keys: entries.length }, 'what was written alone as the follower is merged');
  }

  /**
   * Whether every revision that clients may have seen is here. After a boot it is known of a node that stopped on purpose, if its
   * follower knows of nothing newer either: an old copy of the disk would look the same.
   */
  #isComplete(usedRevision: number | null): boolean {
    if (this.#isProven) return true;
    return this.#wasStopped && usedRevision !== null && usedRevision <= this.database.store.head;
  }

  /**
   * After a boot nobody knows whether the disk lost what it alone held: clients may have seen revisions that are to come. So the
   * numbers go on above them.
   */
  #jump(usedRevision: number): Entry[] {
    const { store } = this.database;
    const { band } = this.#context.verifiedPoint;
    const used = Math.max(store.head, usedRevision, band);
    const jump = jumpTo(store, leaderBandAfterBoot(used, Math.random()));
    this.#context.logger.info(
      { revision: store.head },
      'the log may have lost its newest records since the last boot: the revision jumps',
    );
    return jump;
  }

  /** The record that begins a band may be lost again, and its follower be away when the next one is chosen. */
  #noteBand(): void {
    const { verifiedPoint } = this.#context;
    const first = bandStart(this.database.store.head);
    if (first > verifiedPoint.band) verifiedPoint.beginBand(first);
  }

  /** A store that was wiped or rolled back beneath this process is repaired from the peer, by the comparison of the next start. */
  #checkOnReconnect(commit: GroupCommit): void {
    const { connection, manager, verifiedPoint, restart, logger } = this.#context;
    this.#reconnectCheck?.stop();
    this.#reconnectCheck = new ReconnectCheck({
      connection,
      manager,
      stream: this.#stream,
      position: () => commit.position,
      onMissing: (sequence) => {
        // Else the next start might find an older point, and lead without what is lost.
        if (!verifiedPoint.keep(commit.position)) verifiedPoint.forget();
        restart(
          `nats-server came back without record ${sequence} of ${this.#stream}, which it had acknowledged`,
        );
      },
      logger,
    });
  }

  #openCleaner(commit: GroupCommit): LogCleaner {
    const { config, logger, verifiedPoint } = this.#context;
    const quotaBytes = config.datastore.quotaBackendBytes;
    const { replicated } = this.#replication;
    const cleaner = new LogCleaner({
      database: this.database,
      cleaned: this.database,
      commit,
      records: this.#log.records,
      bytes: this.#log.bytes,
      purge: async (sequence) => {
        // The point that a restart looks for must not be among what goes.
        verifiedPoint.save(commit.position);
        await this.#log.purge(sequence);
      },
      isCopied: async (sequence) =>
        replicated.stored >= sequence ||
        (replicated.stillForMs > awayAfterMs && (await this.#log.bytes()) > quotaBytes * awayFillMax),
      quotaBytes,
      logger,
    });
    cleaner.start();
    return cleaner;
  }

  /** Saves the verified point now and then; before there is one, decides alone when nobody comes to compare. */
  #tick(): void {
    const { verifiedPoint, state, logger } = this.#context;
    if (this.#commit) {
      if (performance.now() - this.#lastSavedMs < verifiedPointIntervalMs) return;
      this.#lastSavedMs = performance.now();
      verifiedPoint.keep(this.#commit.position);
      return;
    }
    // The wait after boot is over and nobody is there to compare with. An empty store, or half a log, is no reason to go on.
    const { reason, peer } = state();
    if (
      this.#log.fault !== null ||
      this.#mustNotLead !== null ||
      this.#log.position.sequence === 0 ||
      reason !== 'unverified-log' ||
      peer.heard
    )
      return;
    this.#open().catch((error: unknown) => logger.error({ err: error }, 'the log cannot be opened'));
  }
}

/** When a revision was written, in ms since the Unix epoch; null when its record is cleaned away. */
async function timeOf(
  { manager }: NodeContext,
  stream: string,
  log: OwnedLog,
  revision: number,
): Promise<number | null> {
  const sequence = log.records.reaching(revision);
  const bytes = sequence === null ? null : await readMessage(manager, stream, sequence);
  if (!bytes) return null;
  const { firstRevision, timeMs } = decodeRecord(bytes, undefined);
  return firstRevision < revision ? timeMs : null;
}

/** The newest epoch once more: it says nothing new. */
function epochEntries({ epoch }: Database): Entry[] {
  return epoch ? [{ kind: 'epoch', ...epoch }] : [];
}
