import { ErrorCode, NatsError } from 'nats';
import { isRestricted } from '../../../shared/node.ts';
import type { ClusterView, WriteMethod } from '../backend.ts';
import { publishChanges } from '../change-feed.ts';
import { EtcdError, etcdErrors, permissionDenied } from '../etcd/errors.ts';
import { headerIdentity, idOf } from '../etcd/identity.ts';
import { withTimeout } from '../etcd/with-timeout.ts';
import { LeaseExpiry } from '../lease/expiry.ts';
import { newLeaseIds } from '../lease/ids.ts';
import { toEtcdError } from '../local-writes.ts';
import { chainAt } from '../log/stream.ts';
import { FollowerReplication } from '../replication/follower.ts';
import { forkedTail } from '../replication/forked-tail.ts';
import type { MirrorFold } from '../replication/mirror-fold.ts';
import { Mirrors } from '../replication/mirrors.ts';
import {
  findOverlay,
  Overlay,
  type OverlayOptions,
  readOverlay,
  removeOverlay,
} from '../replication/overlay.ts';
import { handOver } from '../replication/role-swap.ts';
import type { DatastoreFacts } from '../state/service.ts';
import { Database } from '../store/database.ts';
import { WatchHub } from '../watch/watch-hub.ts';
import { Changed } from './changed.ts';
import { enforce } from './enforce.ts';
import { clusterMembers } from './members.ts';
import { identityOf, type NodeContext, type ReplicationView, type ShimNode } from './node.ts';

/** How often what may be done now is looked at: merge, bootGrace, the verified point. In milliseconds. */
const tickMs = 250;
const verifiedPointIntervalMs = 10_000;
/** How long a fold may take no step, in milliseconds, before a merge is broken off. */
const foldProgressLimitMs = 10_000;
/** How long a removal that failed waits until it is asked for again, in milliseconds. */
const removeAgainMs = 250;
/** How long a call waits for the state machine to say where it belongs, in milliseconds. */
const undecidedLimitMs = 7_000;

const lostRecordsNotice =
  'the copy of the log has lost its newest records: nothing is written before it was compared with the leader';

/** How a mirror is folded. */
interface FoldOptions {
  stream: string;
  /** The first record to fold; default: the first there is. */
  from?: number;
  /** Take nothing beyond the sequence that is wanted: an overlay stands on it. */
  noFurther?: boolean;
  /** Give up when the link goes down. */
  whileLinked?: boolean;
  /** Wait for what makes it whole, where that is still to come; default: give up when it is there and not whole. */
  untilWhole?: boolean;
  /** Serve it only in the place of this one. */
  inPlaceOf?: MirrorFold;
}

/**
 * The configured follower. It follows the leader's log while it can; it writes alone, into an overlay, while it may and the
 * log cannot be reached; and it merges when the two meet again.
 */
export class FollowerNode implements ShimNode {
  readonly #context: NodeContext;
  readonly #mirrors: Mirrors;
  readonly #replication: FollowerReplication;
  readonly #changed = new Changed();
  readonly #memberId: bigint;
  readonly #timer: NodeJS.Timeout;
  readonly watches: WatchHub;
  readonly cluster: ClusterView;
  /** The mirror ends before a record that it is known to have had: what this node used of its bands may have been told in the rest. */
  #lostRecords = false;
  /** Served until the node has joined for the first time. */
  readonly #nothing = new Database();
  #verified = false;
  /** It was off before this process: an overlay that is found may have lost its end. */
  #wasOff = false;
  /** Where the leader's log stood when this node met it after it was off: it may have had so much itself. */
  #mustReach = 0;
  #overlay: Overlay | null = null;
  #beginning: Promise<void> | null = null;
  #merging = false;
  /** The last record that the leader's log has of this mirror, while the rest of it is to be merged. */
  #forkedAt: number | null = null;
  /** What is served does not go on: the mirror has other records than the leader's, or an overlay on it could not be opened. */
  #mustFold = false;
  /** A part of an overlay that could not be opened is in what is served: no overlay can stand on that. */
  #isSpoilt = false;
  #leaseTimer: NodeJS.Timeout | undefined;
  #lastSavedMs = 0;
  #stopped = false;

  private constructor(context: NodeContext, mirrors: Mirrors) {
    this.#context = context;
    this.#mirrors = mirrors;
    const { config, pair, connection, manager, logger } = context;
    this.#memberId = idOf(`${config.cluster}/${pair.self.name}`);
    this.watches = new WatchHub(this.#nothing.store);
    this.cluster = {
      memberId: this.#memberId,
      leaderId: () => this.#leaderId(),
      term: () => this.database.epoch?.number ?? 0,
      logSequence: () => this.#replication.position.sequence,
      pendingWrites: () => this.#overlay?.pendingWrites ?? 0,
      logBytes: async () => (await mirrors.info())?.state.bytes ?? 0,
      quotaBytes: config.datastore.quotaBackendBytes,
      members: () => clusterMembers(config),
    };
    this.#replication = new FollowerReplication({
      connection,
      manager,
      self: pair.self.name,
      peer: pair.peer.name,
      identity: identityOf(context),
      mirrors,
      onJoined: () => this.#joined(),
      onVisible: (from, to) => this.watches.notify(from, to),
      onForked: (common) => this.#forked(common),
      onFoldEnded: () => {
        this.#mustFold = true;
      },
      beforePurge: () => this.#saveVerifiedPoint(),
      onLink: () => this.#factsChanged(),
      logger,
    });
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  /**
   * Folds the mirror, and the overlay on top of it where there is one.
   * @throws NatsError when this node's nats-server does not answer in time
   */
  static async open(context: NodeContext): Promise<FollowerNode> {
    const { manager, pair, logger } = context;
    await handOver(context);
    const mirrors = await Mirrors.find({ manager, self: pair.self.name, peer: pair.peer.name, logger });
    const node = new FollowerNode(context, mirrors);
    const { sequence } = await mirrors.end(mirrors.served);
    node.#lostRecords = sequence < context.verifiedPoint.reached();
    const isProven = sequence > 0 && (await node.#isVerifiedPointThere());
    node.#wasOff = !isProven;
    node.#replication.mayHaveLost = !isProven;
    node.#replication.stoppedAt = isProven || sequence === 0 ? null : await node.#stoppedAt();
    if (sequence > 0) {
      try {
        await node.#serveMirror(sequence, mirrors.served);
        node.#verified = isProven;
      } catch (error) {
        // This node's own nats-server does not answer: what was written alone may be there, and must not be forgotten.
        if (error instanceof NatsError && error.code === ErrorCode.Timeout) throw error;
        // It waits for the leader then, as one that never joined.
        logger.error({ err: error }, 'the mirror cannot be served');
      }
    }
    await node.#replication.start();
    return node;
  }

  get #judge() {
    const { lists, pair, onJudged } = this.#context;
    return { lists, node: pair.self.name, onJudged };
  }

  /**
   * Serves what a copy of the log holds, up to `last` at least; where there is an overlay, up to its base and the overlay on top.
   * @throws Error when the copy is not whole
   */
  async #serveMirror(last: number, stream: string): Promise<void> {
    const overlay = await findOverlay(this.#context.connection);
    await this.#serveUpTo(overlay?.baseSequence ?? last, { stream, noFurther: overlay !== null });
    if (overlay) await this.#begin(() => this.#openOverlay(overlay.baseSequence));
  }

  get database(): Database {
    return this.#replication.database ?? this.#nothing;
  }

  get identity(): Uint8Array {
    return headerIdentity(idOf(this.#context.config.cluster), this.#memberId, this.cluster.term());
  }

  /** The member that takes writes: this one while it writes alone, else the leader while it answers. */
  #leaderId(): bigint {
    const { config, pair } = this.#context;
    // Alone it writes by itself, though the overlay is opened only by the first write.
    if (this.#overlay || this.#isAlone()) return this.#memberId;
    return this.#replication.linkWorks ? idOf(`${config.cluster}/${pair.peer.name}`) : 0n;
  }

  get #hasJoined(): boolean {
    return this.#replication.database !== null;
  }

  /**
   * Reads are true for both nodes while the leader answers; alone, this node's own copy is all there is. Then the answer has
   * a revision of this node's own band: a client that comes from the leader must not see a revision go back.
   */
  async linearizable(): Promise<void> {
    const deadline = performance.now() + undecidedLimitMs;
    for (;;) {
      if (!this.#hasJoined) throw etcdErrors.noLeader();
      if (this.#overlay) return;
      if (this.#replication.linkWorks) {
        const failure = await this.#replication.linearizable().then(
          () => null,
          (error: unknown) => error,
        );
        if (failure === null) return;
        if (!(failure instanceof EtcdError)) throw failure;
      } else if (isRestricted(this.#context.state().state)) {
        if (this.#verified) await withTimeout(this.#tryWriteAlone(), deadline - performance.now());
        // On a full disk, and with less than was here once: what it would show is older than what it showed.
        if (!this.#overlay && this.#replication.position.sequence < this.#mustReach)
          throw etcdErrors.noLeader();
        return;
      }
      await this.#changed.waitStep(tickMs, deadline);
    }
  }

  /** Opens the overlay where that can be done: reads go on on a full disk, too. */
  async #tryWriteAlone(): Promise<void> {
    await this.#writeAlone().catch((error: unknown) =>
      this.#context.logger.error({ err: error }, 'the overlay cannot be opened'),
    );
  }

  async write(method: WriteMethod, request: Buffer): Promise<Uint8Array> {
    const { state } = this.#context;
    const deadline = performance.now() + undecidedLimitMs;
    for (;;) {
      const current = state();
      enforce(this.#judge, current.state, current, { method, request, store: this.database.store });
      const writes = this.#overlay?.writes;
      if (this.#overlay && (!this.#verified || this.#overlay.isTorn)) {
        throw permissionDenied(`twonode: ${current.state}: write refused: ${current.text}`);
      }
      // What ends a conflict belongs into the log: an overlay would merge the value, and lose the end.
      if (method === 'ResolveConflict' && (this.#overlay || this.#isAlone())) throw notWhileAlone();
      if (writes) return writes.write(method, request);
      if (!this.#overlay && this.#replication.linkWorks) {
        return this.#replication.forward(method, request, current.state);
      }
      if (!this.#overlay && isRestricted(current.state)) {
        if (!this.#verified) {
          throw permissionDenied(`twonode: ${current.state}: write refused: ${current.text}`);
        }
        const opened = this.#writeAlone().catch((error: Error) => {
          throw toEtcdError(error);
        });
        await withTimeout(opened, deadline - performance.now());
        continue;
      }
      // The link has just gone and the state is not decided, or a merge is on its way: nothing was sent yet.
      await this.#changed.waitStep(tickMs, deadline);
    }
  }

  facts(): DatastoreFacts {
    return {
      logVerified: this.#verified,
      neverJoined: !this.#hasJoined,
      logLink: this.#replication.linkWorks ? 'works' : 'down',
      reconverged: this.#overlay === null && this.#beginning === null && this.#hasJoined,
      epoch: this.cluster.term(),
      revision: this.database.store.visible,
      conflicts: this.database.conflicts.forPeople,
      failure: this.#replication.failure ?? this.#replication.contradiction ?? this.#overlay?.failure ?? null,
      notices: [this.#replication.notice, this.#lostRecords ? lostRecordsNotice : null].filter(
        (notice) => notice !== null,
      ),
    };
  }

  replication(): ReplicationView {
    const { linkWorks, position, lagRevisions, lagSeconds } = this.#replication;
    return { linkWorks, following: null, stored: position.sequence, lagRevisions, lagSeconds };
  }

  stateChanged(): void {
    this.#changed.signal();
    if (this.#isAlone()) this.#replication.abandonForwards();
    clearTimeout(this.#leaseTimer);
    const ttls = [...this.database.leases.values()];
    if (!this.#isAlone() || this.#overlay || ttls.length === 0) return;
    // Leases run out here too while the leader is away, at the latest one TTL after this node was left alone.
    const longestMs = 24 * 3_600_000;
    this.#leaseTimer = setTimeout(
      () => {
        if (!this.#isAlone() || this.#overlay) return;
        void this.#tryWriteAlone();
      },
      Math.min(Math.min(...ttls) * 1_000, longestMs),
    );
  }

  #isAlone(): boolean {
    return this.#verified && !this.#replication.linkWorks && isRestricted(this.#context.state().state);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#leaseTimer);
    this.#replication.stop();
    await this.#overlay?.seal();
    // What the leader has not been told yet must not be forgotten.
    if (!this.#verified || this.#replication.mayHaveLost) return;
    const { verifiedPoint } = this.#context;
    if (this.#wroteAlone) verifiedPoint.keep(this.#replication.position);
    else verifiedPoint.keepStopped(this.#replication.position);
  }

  /** Something was written alone, or may have been, and is not merged yet: the leader is to jump above it anyway. */
  get #wroteAlone(): boolean {
    return this.#overlay !== null || this.#beginning !== null || this.#merging || this.#mirrors.copy !== null;
  }

  /** Where it was stopped on purpose before this boot; null: it was not, or what it held then is not here, or it has an overlay. */
  async #stoppedAt(): Promise<number | null> {
    const { verifiedPoint, manager, connection } = this.#context;
    const stopped = verifiedPoint.stopped();
    if (!stopped || this.#mirrors.copy !== null || (await findOverlay(connection))) return null;
    const chain = await chainAt(manager, this.#mirrors.served, stopped.sequence);
    return chain === stopped.chain ? stopped.sequence : null;
  }

  /**
   * From now on this node writes into its overlay; whoever comes meanwhile waits for it. What is served does not go on when that cannot
   * be opened either, so the node joins anew then, and folds the mirror anew.
   */
  #writeAlone(newId?: string): Promise<void> {
    return this.#begin(() =>
      this.#openOverlay(this.#replication.position.sequence, newId).catch((error: Error) => {
        this.#replication.leave();
        throw error;
      }),
    );
  }

  /** An overlay has one writer: who wants to write alone while one is being opened waits for that one. */
  #begin(open: () => Promise<void>): Promise<void> {
    this.#beginning ??= open().finally(() => {
      this.#beginning = null;
    });
    return this.#beginning;
  }

  /** What is served is frozen first: the overlay stands on it. */
  async #openOverlay(baseSequence: number, newId?: string): Promise<void> {
    this.#context.verifiedPoint.goOn();
    if (this.#isSpoilt) await this.#foldBase(baseSequence);
    this.#replication.freeze();
    const { store } = this.database;
    const { head } = store;
    try {
      this.#overlay = await Overlay.open(this.#overlayOptions(), baseSequence, newId);
    } catch (error) {
      this.#isSpoilt = store.head > head;
      this.#mustFold = true;
      throw error;
    }
    this.#factsChanged();
  }

  /** Serves the mirror without the part of an overlay that stands on it now. */
  async #foldBase(sequence: number): Promise<void> {
    this.#serve(await this.#foldUpTo(sequence, { stream: this.#mirrors.served, noFurther: true }));
  }

  #serve(fold: MirrorFold): void {
    this.watches.replaceStore(fold.database.store);
    this.#replication.serve(fold);
    this.#isSpoilt = false;
    this.#mustFold = false;
  }

  #overlayOptions(): OverlayOptions {
    const { connection, config, pair, logger } = this.#context;
    const { database } = this;
    return {
      connection,
      database,
      memberId: this.#memberId,
      quotaBytes: config.datastore.quotaBackendBytes,
      identity: this.identity,
      newLeaseId: newLeaseIds(1),
      expiry: new LeaseExpiry(),
      usedRevision: () => this.#replication.usedRevision,
      // The leader may have been told already while the overlay is opened, where the mirror could not be served before.
      mayHaveLost: () => this.#replication.mayHaveLost || (this.#wasOff && !this.#verified),
      onWritten: this.#context.onWritten,
      onFenced: (error) => this.#context.onLost(error),
      onHealth: () => this.#factsChanged(),
      onVisible: (from, to) => {
        this.watches.notify(from, to);
        publishChanges(connection, pair.self.name, database.store, from, to);
      },
      logger,
    };
  }

  /**
   * The leader lost the end of its log, which this mirror holds beyond `common`, and wrote on: what stands there is merged as if it
   * were an overlay. Its id tells which end it is, so a merge that was cut off is no other one when it is tried again.
   */
  async #forked(common: number): Promise<void> {
    const { connection, manager, logger } = this.#context;
    if (!this.#hasJoined || this.#forkedAt === common) return;
    const { served } = this.#mirrors;
    if (!this.#overlay) {
      const { sequence, chain } = await this.#mirrors.end(served);
      if (this.#replication.position.sequence < sequence && !this.#replication.failure) {
        await this.#serveUpTo(sequence, { stream: served, noFurther: true });
      }
      const id = `fork-${chain.toString(16)}-${sequence}`;
      await this.#writeAlone(id);
    }
    const tail = await forkedTail({ connection, manager, logger }, served, common);
    logger.warn(
      { common, keys: tail.entries.length, conflicts: tail.conflicts.length },
      'what the leader lost is merged from this mirror',
    );
    this.#overlay?.standOn(tail);
    this.#forkedAt = common;
  }

  /** The leader has compared the logs: ours is a prefix of its own. */
  async #joined(): Promise<void> {
    // With an open overlay, the merge folds the mirror.
    // A copy that was begun must be gone over to, whatever comes of the old one.
    const mustServe = !this.#hasJoined || this.#mustFold || this.#mirrors.copy !== null;
    if (mustServe && !this.#overlay) {
      const { leaderSequence } = this.#replication;
      await this.#serveMirror(leaderSequence, this.#mirrors.current).catch(async (error: Error) => {
        // Nobody may open the overlay while it is merged from disk.
        while (this.#beginning) await this.#beginning.catch(() => undefined);
        await this.#begin(() => this.#mergeUnserved(leaderSequence, error));
      });
      if (!this.#overlay) await this.#mirrors.finishCopy();
    }
    // Not before: nothing may be written alone on a mirror that is not folded yet.
    await this.#verify();
    this.#lostRecords = false;
    this.#saveVerifiedPoint();
    this.#factsChanged();
  }

  /** What it holds is the cluster's: this node may write alone from here on. */
  async #verify(): Promise<void> {
    if (this.#verified) return;
    this.#mustReach = this.#replication.leaderSequence;
    await this.#begin(async () => this.#overlay?.goOn());
    this.#verified = true;
  }

  #factsChanged(): void {
    this.#changed.signal();
    this.#context.onFacts();
    // The state may have known before that this node is alone.
    if (this.#isAlone()) this.#replication.abandonForwards();
  }

  #tick(): void {
    const { state, logger } = this.#context;
    // During a merge what is served stands behind what is known.
    const isSaveDue = performance.now() - this.#lastSavedMs > verifiedPointIntervalMs;
    if (this.#verified && !this.#merging && isSaveDue) this.#saveVerifiedPoint();
    // The wait after boot is over and nobody is there to compare with.
    const mayWriteAlone = this.#hasJoined && !this.#lostRecords;
    const isDecided = state().reason === 'unverified-log' && !state().peer.heard;
    if (!this.#verified && !this.#beginning && mayWriteAlone && isDecided) {
      this.#verify()
        .catch((error: unknown) => logger.error({ err: error }, 'the overlay takes no writes'))
        .finally(() => this.#factsChanged());
    }
    if (!this.#overlay || this.#merging || !this.#replication.linkWorks) return;
    this.#reconverge(this.#overlay).catch((error: unknown) =>
      logger.error({ err: error }, 'the overlay takes no writes'),
    );
  }

  /**
   * Not before the leader knows that this node was off, and its answer is in the mirror: the next start would take nothing for lost.
   */
  #saveVerifiedPoint(): void {
    if (this.#replication.mayHaveLost || this.#mirrors.copy) return;
    this.#lastSavedMs = performance.now();
    this.#context.verifiedPoint.keep(this.#replication.position);
  }

  async #isVerifiedPointThere(): Promise<boolean> {
    const point = this.#context.verifiedPoint.load();
    if (!point) return false;
    if (point.sequence === 0) return true;
    return (await chainAt(this.#context.manager, this.#mirrors.served, point.sequence)) === point.chain;
  }

  /** Merges the overlay into the leader's log, folds the mirror with it anew, and goes over to that at once. */
  async #reconverge(overlay: Overlay): Promise<void> {
    const { logger } = this.#context;
    this.#merging = true;
    let fold: MirrorFold | null = null;
    let mayGo = false;
    try {
      await overlay.seal();
      const changes = overlay.changes();
      const sequence = await this.#replication.merge(changes);
      fold = await this.#foldUpTo(sequence, { stream: this.#mirrors.current, whileLinked: true });
      // With the overlay goes what tells its band: a mirror that loses the leader's jump over it must be known to be short.
      this.#context.verifiedPoint.save(fold.position);
      // Removed before anyone sees what came of it: after a restart in between, the overlay's revisions would come back.
      mayGo = true;
      await this.#removeMerged();
      this.#serve(fold);
      this.#overlay = null;
      this.#forkedAt = null;
      logger.info(
        { overlay: overlay.id, keys: changes.entries.length, sequence },
        'what was written alone is merged',
      );
    } catch (error) {
      logger.warn({ err: error }, 'the merge was broken off, it is tried again');
      if (this.#replication.database !== fold?.database) fold?.stop();
      // It may be gone already, so nothing more is written to it. What it held is in the log.
      if (!mayGo) await overlay.unseal();
    } finally {
      this.#merging = false;
      this.#factsChanged();
    }
  }

  /**
   * The mirror cannot be served as it was when the overlay was begun on it, so neither can the overlay. What is in that goes into the
   * leader's log as it stands on disk, and then the mirror is served.
   * @param why it cannot be served
   */
  async #mergeUnserved(last: number, why: Error): Promise<void> {
    const { connection, config, logger } = this.#context;
    const { quotaBackendBytes: quotaBytes } = config.datastore;
    const stream = this.#mirrors.current;
    const overlay = await readOverlay({ ...this.#context, quotaBytes }, { stream, last });
    if (!overlay || this.#overlay) throw why;
    logger.warn({ err: why, overlay: overlay.id }, 'what was written alone is merged without being served');
    const sequence = await this.#replication.merge(overlay);
    const fold = await this.#foldUpTo(sequence, { stream });
    this.#context.verifiedPoint.save(fold.position);
    await removeOverlay(connection);
    this.#serve(fold);
    logger.info(
      { overlay: overlay.id, keys: overlay.entries.length, sequence },
      'what was written alone is merged',
    );
  }

  /**
   * Removes the overlay, and the copy that a new one replaces. A removal without an answer may have been done: nothing may be
   * written to the overlay then, so it is asked for until it is known to be gone.
   * @throws Error when the node stops meanwhile
   */
  async #removeMerged(): Promise<void> {
    const { logger, connection } = this.#context;
    for (;;) {
      try {
        await removeOverlay(connection);
        await this.#mirrors.finishCopy();
        return;
      } catch (error) {
        if (this.#stopped) throw error;
        logger.warn({ err: error }, 'the merged overlay could not be removed, it is tried again');
        await new Promise((resolve) => setTimeout(resolve, removeAgainMs));
      }
    }
  }

  /**
   * Folds the mirror anew, from a sequence on or from its beginning, and serves that once it is there.
   * @throws Error when this node has begun to write alone meanwhile: the overlay stands on what was served before; or when
   * something else is served by now (`inPlaceOf`)
   */
  async #serveUpTo(sequence: number, how: FoldOptions): Promise<void> {
    const fold = await this.#foldUpTo(sequence, how);
    if (this.#overlay || this.#beginning) {
      fold.stop();
      throw new Error('this node writes alone by now');
    }
    if (how.inPlaceOf) this.#checkServed(how.inPlaceOf, fold);
    this.#serve(fold);
  }

  /**
   * Folds the mirror anew, up to a sequence at least, until it is whole.
   * @throws Error when a record cannot be read, when it makes no progress or is not whole, when the link goes down
   * (`whileLinked`), or when there is no mirror
   */
  async #foldUpTo(sequence: number, how: FoldOptions): Promise<MirrorFold> {
    let progressMs = performance.now();
    let gapAt: number | null = null;
    let fault: Error | null = null;
    const progress = new Changed();
    const isReached = (fold: MirrorFold) => fold.position.sequence >= sequence && fold.isWhole;
    const fold = await this.#replication.openFold(
      {
        applied: (self) => {
          // What the leader goes on to write is no progress, where it need not ever make a copy with a hole whole.
          if (self.position.sequence <= sequence || how.untilWhole) progressMs = performance.now();
          if (this.#replication.isServed(self)) this.#replication.applied();
          else if (isReached(self)) progress.signal();
        },
        gap: (self, at) => {
          if (this.#replication.isServed(self)) {
            // The next hello tells whether it was cleaned away or is a hole.
            this.#replication.leave();
            this.#crossGap(self, at);
          }
          gapAt = at;
          progress.signal();
        },
        unusable: (error) => {
          fault = error;
          progress.signal();
        },
      },
      { stream: how.stream, from: how.from, upTo: how.noFurther ? sequence : undefined },
    );
    if (!fold) throw new Error('there is no mirror');
    while (!isReached(fold)) {
      if (fault) throw fault;
      if (how.inPlaceOf) this.#checkServed(how.inPlaceOf, fold);
      if (gapAt !== null) return this.#foldUpTo(Math.max(sequence, gapAt), { ...how, from: gapAt });
      const isCutOff = how.whileLinked && !this.#replication.linkWorks;
      const isThere = fold.position.sequence >= sequence;
      const isShort = isThere && !how.untilWhole;
      if (isCutOff || isShort || performance.now() - progressMs > foldProgressLimitMs) {
        fold.stop();
        const { sequence: at } = fold.position;
        throw new Error(
          isThere
            ? `the mirror is not whole at record ${at}`
            : `the mirror stays at record ${at} of ${sequence}`,
        );
      }
      await progress.waitStep(tickMs, Number.POSITIVE_INFINITY);
    }
    return fold;
  }

  /** @throws Error when another copy is served than the one that a fold was to replace */
  #checkServed(served: MirrorFold, fold: MirrorFold): void {
    if (this.#replication.isServed(served)) return;
    fold.stop();
    throw new Error('another copy is served by now');
  }

  /** The leader cleaned its log while this node was away: what is served stays until the rest is whole, then that is. */
  #crossGap(served: MirrorFold, at: number): void {
    // A hole that is none of the leader's cleaning is mended by a new copy meanwhile; an overlay's merge folds all anew.
    if (this.#stopped || this.#overlay || !this.#replication.isServed(served)) return;
    const { logger } = this.#context;
    logger.warn({ at }, 'records are missing before this one: the mirror is folded anew from here');
    const how = { stream: this.#mirrors.served, from: at, untilWhole: true, inPlaceOf: served };
    this.#serveUpTo(at, how).catch((error: unknown) => {
      logger.error({ err: error }, 'the mirror could not be folded anew');
      setTimeout(() => this.#crossGap(served, at), 1_000);
    });
  }
}

function notWhileAlone(): EtcdError {
  return permissionDenied('twonode: conflicts are ended while the leader can be reached');
}
