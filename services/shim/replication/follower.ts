import { Events, type JetStreamManager, type Msg, type NatsConnection, type Subscription } from 'nats';
import { UserError } from '../../../shared/lifecycle.ts';
import type { Logger } from '../../../shared/logger.ts';
import { decodeMessage } from '../../../shared/messages.ts';
import type { NodeState } from '../../../shared/node.ts';
import { subjects } from '../../../shared/subjects.ts';
import type { WriteMethod } from '../backend.ts';
import { EtcdError, etcdErrors } from '../etcd/errors.ts';
import { status } from '../etcd/grpc/status.ts';
import type { LogPosition } from '../log/group-commit.ts';
import { conflictCodec, type LogRecord } from '../log/record.ts';
import { findStream } from '../log/stream.ts';
import type { Infer } from '../protobuf/message.ts';
import type { Database } from '../store/database.ts';
import { MirrorFold } from './mirror-fold.ts';
import type { Mirrors } from './mirrors.ts';
import type { OverlayChanges } from './overlay.ts';
import { answerLogRequest } from './peer-log.ts';
import {
  commitSchema,
  forwardedWriteHeaders,
  type Hello,
  type HelloAnswer,
  helloAnswerSchema,
  helloEpochsMax,
  type Identity,
  mergeAnswerSchema,
  mergeRequest,
  pingAnswerSchema,
  readIndexAnswerSchema,
  readWriteOutcome,
} from './protocol.ts';
import { RevisionGate } from './revision-gate.ts';

/** How often the leader's shim is asked whether it is there, how often while it is not, and how long it may take, in milliseconds. */
const pingIntervalMs = 500;
const pingAwayIntervalMs = 100;
const pingTimeoutMs = 400;
/** How often the logs are compared while the link works, in milliseconds. */
const compareIntervalMs = 30_000;
/** How long a forwarded write may take, in milliseconds; then its outcome is unknown. */
const forwardTimeoutMs = 5_000;
const helloTimeoutMs = 5_000;
/** How long a batch of a merge may take, in milliseconds: while it is waited for this node takes no writes. */
const mergeTimeoutMs = 2_000;
/** Bytes of values, and keys, in one merge request; the server's max_payload is well above. */
const mergeBytesMax = 1024 * 1024;
const mergeKeysMax = 500;

export interface FollowerReplicationOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  self: string;
  peer: string;
  /** Who this node is. */
  identity: Identity;
  mirrors: Mirrors;
  logger: Logger;
  /** Called when the leader has found our log to be a prefix of its own. */
  onJoined: () => Promise<void>;
  /** Called when revisions of the served database became visible. */
  onVisible: (from: number, to: number) => void;
  /** Called when the mirror holds records beyond `common` which the leader's log does not: they are to be merged. */
  onForked: (common: number) => Promise<void>;
  /** Called when what is folded ends before a record of another history than the leader's. */
  onFoldEnded: () => void;
  /** Called before the oldest part of the mirror is removed. */
  beforePurge: () => void;
  /** Called when {@link FollowerReplication.linkWorks} or {@link FollowerReplication.failure} changed. */
  onLink: () => void;
}

/** The leader's shim as this node knows it. */
interface LeaderSession {
  id: string;
  epoch: number;
  /** The record with which the epoch begins. */
  epochFirstSequence: number;
  /** The leader's monotonic clock minus ours, in ms; too small rather than too big. */
  clockOffsetMs: number;
}

/** A mirror with a record that cannot be read. */
interface UnusableMirror {
  /** Up to where it is folded. */
  point: LogPosition;
  /** Names the record and what is wrong with it. */
  text: string;
  /** The record is of a newer version: another copy would be no better. */
  isNewer: boolean;
}

/** The follower's side of replication: keeps the mirror, asks the leader for read indexes, and passes writes on. */
export class FollowerReplication {
  readonly #options: FollowerReplicationOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #gate = new RevisionGate();
  #fold: MirrorFold | null = null;
  #session: LeaderSession | null = null;
  #refusal: { reason: string; text: string } | null = null;
  #unusable: UnusableMirror | null = null;
  /** The record behind which the mirror was stuck last. */
  #stuckAt: number | null = null;
  #comparedMs = 0;
  #caughtUpMs = performance.now();
  #linkWorks = false;
  #committed = 0;
  /** This node has been off, and its leader does not know of it yet: what it once wrote alone may be lost. */
  mayHaveLost = false;
  /** The record at which this node was stopped on purpose before it was off, if it had nothing of its own; else null. */
  stoppedAt: number | null = null;
  #leaderSequence = 0;
  /** The first record that the leader held when it was last compared with. */
  #leaderFirstSequence = 1;
  #pingTimer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** An overlay stands on what is folded: nothing more of the mirror is taken. */
  #frozen = false;
  #storedScheduled = false;
  #purgedTo = 1;
  #readIndex: Promise<number> | null = null;
  /** Ends the wait of each forwarded write that has no answer yet. */
  readonly #forwards = new Set<() => void>();

  constructor(options: FollowerReplicationOptions) {
    this.#options = options;
  }

  /** The mirror folded as far as it came; null before the node has ever joined. */
  get database(): Database | null {
    return this.#fold?.database ?? null;
  }

  get position(): LogPosition {
    return this.#fold?.position ?? { sequence: 0, chain: 0 };
  }

  /** Whether the leader's shim answers, its log takes writes and is one with ours, and the mirror is active. */
  get linkWorks(): boolean {
    return this.#linkWorks && this.#session !== null;
  }

  /** Number of the leader's epoch, 0 when it is not known. */
  get epoch(): number {
    return this.#session?.epoch ?? 0;
  }

  /** Why the mirror cannot be used; null while it can. */
  get failure(): string | null {
    return this.#unusable?.text ?? null;
  }

  /** Starts to follow: with what the mirror holds, and then with what the leader says. */
  async start(): Promise<void> {
    const { connection, manager, self, mirrors, logger } = this.#options;
    this.#subscriptions.push(
      connection.subscribe(subjects.rpc(self, 'commit'), {
        callback: (error, message) => {
          if (!error) this.#commit(message);
        },
      }),
      connection.subscribe(subjects.rpc(self, 'ping'), {
        callback: (error, message) => {
          const answer = { session: null, ...this.#standing(), clock_ms: performance.now() };
          if (!error) message.respond(JSON.stringify(answer));
        },
      }),
      connection.subscribe(subjects.rpc(self, 'log'), {
        callback: (error, message) => {
          if (error) return;
          answerLogRequest(manager, mirrors.served, message).catch((fault: unknown) =>
            logger.error({ err: fault }, 'the leader could not be given records'),
          );
        },
      }),
    );
    void this.#abandonOnDisconnect();
    void this.#pingLoop();
  }

  /** The answer to what was passed on went to a connection that is gone: none will come. */
  async #abandonOnDisconnect(): Promise<void> {
    for await (const { type } of this.#options.connection.status()) {
      if (this.#stopped) return;
      if (type === Events.Disconnect) this.abandonForwards();
    }
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#pingTimer);
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.#fold?.stop();
  }

  #standing() {
    return { sequence: this.position.sequence, revision: this.database?.store.visible ?? 0 };
  }

  /**
   * Folds a copy anew, from its first record or from `from` on, up to `upTo` or without end; the caller decides when it
   * is served.
   * @returns null when there is no mirror
   */
  async openFold(
    on: {
      applied: (fold: MirrorFold) => void;
      gap: (fold: MirrorFold, sequence: number) => void;
      unusable: (error: Error) => void;
    },
    { stream, from, upTo }: { stream: string; from?: number | undefined; upTo?: number | undefined },
  ): Promise<MirrorFold | null> {
    const { connection, manager, logger } = this.#options;
    const info = await findStream(manager, stream);
    if (!info) return null;
    const fold: MirrorFold = new MirrorFold({
      connection,
      manager,
      stream,
      first: from ?? (info.state.first_seq || 1),
      last: upTo ?? Number.POSITIVE_INFINITY,
      logger,
      onApplied: () => on.applied(fold),
      onGap: (sequence) => on.gap(fold, sequence),
      isForeign: (record, sequence) => this.#isForeign(record, sequence),
      onForeign: (sequence) => this.#foldEnded(sequence),
      onError: (error) => {
        this.#mirrorUnusable(fold.position, error);
        on.unusable(error);
      },
    });
    return fold;
  }

  /**
   * Whether a record stands where the leader began its epoch, and is another one: of records that this node's server had received, and not
   * stored yet, when the logs were compared, and that the leader lost. The next hello finds the rest of them.
   */
  #isForeign({ entries }: LogRecord, sequence: number): boolean {
    const session = this.#session;
    if (sequence !== session?.epochFirstSequence) return false;
    return !entries.some((entry) => entry.kind === 'epoch' && entry.id === session.id);
  }

  #foldEnded(sequence: number): void {
    this.#options.logger.error({ sequence }, 'the mirror has stored records of another history');
    this.#options.onFoldEnded();
    this.leave();
  }

  /** Serves this fold from now on, and shows what it holds. */
  serve(fold: MirrorFold): void {
    if (this.#fold !== fold) this.#fold?.stop();
    this.#fold = fold;
    this.#frozen = false;
    this.#unusable = null;
    this.#show();
  }

  /** What is served stays in memory; the logs are compared again where the mirror can still be read. */
  #mirrorUnusable(point: LogPosition, error: Error): void {
    const { logger, onLink } = this.#options;
    logger.error({ err: error, sequence: point.sequence }, 'the mirror cannot be used');
    this.#unusable = { point, text: error.message, isNewer: error instanceof UserError };
    this.leave();
    onLink();
  }

  /** Ends the session: the logs are compared again. */
  leave(): void {
    this.#session = null;
  }

  /** The leader's newest record when it was last compared with. */
  get leaderSequence(): number {
    return this.#leaderSequence;
  }

  /** The newest revision that is known to be used, by this node or by the leader. */
  get usedRevision(): number {
    return Math.max(this.#committed, this.database?.store.head ?? 0);
  }

  isServed(fold: MirrorFold): boolean {
    return this.#fold === fold;
  }

  /** Takes nothing more of what the mirror brings: the overlay stands on what is folded now. */
  freeze(): void {
    this.#fold?.stop();
    this.#show();
    this.#frozen = true;
    this.#gate.giveUp();
  }

  /** A record was folded into the served database. */
  applied(): void {
    this.#scheduleStored();
    this.#show();
    const cleanedTo = this.#fold?.database.cleanedTo ?? 1;
    if (cleanedTo > this.#purgedTo) this.#purge(cleanedTo);
  }

  /** What the leader has cleaned away is not needed here either, once this node has read that it is stated again. */
  #purge(sequence: number): void {
    const { manager, mirrors, logger, beforePurge } = this.#options;
    this.#purgedTo = sequence;
    beforePurge();
    manager.streams.purge(mirrors.served, { seq: sequence }).then(
      () => logger.info({ sequence }, 'the mirror is cleaned'),
      (error: unknown) => {
        // It is tried again at the next cleaning, or after a restart.
        logger.warn({ err: error }, 'the mirror could not be cleaned');
      },
    );
  }

  /** Shows readers what is acknowledged; all of it while the leader is away, since the mirror holds only what is in the log. */
  #show(): void {
    const store = this.#fold?.database.store;
    // Frozen, the overlay's writer shows what it has on disk.
    if (!store || this.#frozen) return;
    const before = store.visible;
    store.show(this.linkWorks ? Math.min(this.#committed, store.head) : store.head);
    if (store.visible > before) this.#options.onVisible(before, store.visible);
    this.#gate.reached(store.visible);
    if (this.lagRevisions === 0) this.#caughtUpMs = performance.now();
  }

  #commit(message: Msg): void {
    const commit = decodeMessage(commitSchema, message.data);
    if (!commit.ok || commit.value.session !== this.#session?.id) return;
    this.#committed = Math.max(this.#committed, commit.value.revision);
    this.#show();
  }

  /** Tells the leader what the mirror holds, once for all records of this turn of the event loop. */
  #scheduleStored(): void {
    // Frozen, it would only make the leader wait for a follower that does not follow yet.
    if (this.#storedScheduled || !this.#session || this.#frozen || this.#options.mirrors.copy) return;
    if (this.#hasGap) return;
    this.#storedScheduled = true;
    setImmediate(() => {
      this.#storedScheduled = false;
      const { connection, peer } = this.#options;
      if (!this.#session || connection.isClosed()) return;
      const stored = { session: this.#session.id, sequence: this.position.sequence };
      connection.publish(subjects.rpc(peer, 'stored'), JSON.stringify(stored));
    });
  }

  async #pingLoop(): Promise<void> {
    if (this.#stopped) return;
    const worked = this.linkWorks;
    await this.#ping().catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'the leader does not answer');
      this.#linkWorks = false;
    });
    if (worked !== this.linkWorks) {
      this.#options.logger.info({ works: this.linkWorks }, 'the log link changed');
      this.#show();
      this.#options.onLink();
    }
    const intervalMs = this.#isLeaderAway ? pingAwayIntervalMs : pingIntervalMs;
    if (!this.#stopped) this.#pingTimer = setTimeout(() => void this.#pingLoop(), intervalMs);
  }

  /** It is out of reach or starting, so it may be back any moment; one that refuses this follower will do so for longer. */
  get #isLeaderAway(): boolean {
    return !this.linkWorks && (this.#refusal === null || this.#refusal.reason === 'starting');
  }

  async #ping(): Promise<void> {
    const answer = pingAnswerSchema.parse(await this.#ask('ping', '{}', pingTimeoutMs));
    if (answer.session === null || answer.session !== this.#session?.id || this.#isCheckDue()) {
      await this.#hello();
    } else {
      this.#session.clockOffsetMs = answer.clock_ms - performance.now();
      this.#committed = Math.max(this.#committed, answer.revision);
    }
    const { active, stuck, holes } = await this.#options.mirrors.look(answer.sequence);
    // NATS may pass over records after a cut, also over the newest ones, and nothing comes to tell of the hole.
    if (holes && (await this.#hasHole())) {
      this.leave();
      throw new Error('the mirror has a hole');
    }
    if (this.#options.mirrors.isCopyIdle) {
      this.#session = null;
      await this.#options.mirrors.beginCopy();
      throw new Error('the new copy does not begin');
    }
    if (stuck !== null) {
      this.#goOnFrom(stuck);
      throw new Error(`the mirror does not go on behind record ${stuck}`);
    }
    this.#linkWorks = answer.takes_writes && active;
    this.#scheduleStored();
    this.#show();
  }

  /** The logs are compared at each contact, and now and then in between. */
  #isCheckDue(): boolean {
    return !this.#linkWorks || performance.now() - this.#comparedMs > compareIntervalMs;
  }

  /** Asks the leader to compare the logs; on its word the mirror is made, goes on, or is copied anew. */
  async #hello(): Promise<void> {
    const { logger, onJoined, mirrors } = this.#options;
    const hello = await this.#standingForHello();
    const answer = helloAnswerSchema.parse(await this.#ask('hello', JSON.stringify(hello), helloTimeoutMs));
    if (!answer.ok) {
      this.#refused(answer);
      throw new Error(answer.text);
    }
    this.#refusal = null;
    // First: whatever fails below, an overlay goes on above what the leader has told here.
    this.#committed = Math.max(this.#committed, answer.revision);
    this.mayHaveLost = false;
    this.stoppedAt = null;
    this.#leaderFirstSequence = answer.first_sequence;
    const forked = answer.common < hello.point.sequence;
    if (forked) await this.#options.onForked(answer.common);
    const why = await this.#whyCopyAnew(answer, forked);
    if (why !== null) {
      logger.error({ why, common: answer.common, ...hello.point }, 'the mirror is copied anew');
      this.#session = null;
      // Where it cannot be begun, as on a full disk, what is wrong must still be known at the next hello.
      await mirrors.beginCopy();
      this.#unusable = null;
      throw new Error(why);
    }
    await mirrors.ensure(answer.stream);
    this.#leaderSequence = answer.sequence;
    const clockOffsetMs = answer.clock_ms - performance.now();
    const isNew = this.#session?.id !== answer.session;
    this.#session = {
      id: answer.session,
      epoch: answer.epoch,
      epochFirstSequence: answer.epoch_first_sequence,
      clockOffsetMs,
    };
    this.#comparedMs = performance.now();
    if (!isNew) return;
    const { sequence } = hello.point;
    logger.info({ session: answer.session, epoch: answer.epoch, sequence }, 'joined the leader');
    try {
      await onJoined();
    } catch (error) {
      this.#askAgain();
      throw error;
    }
  }

  /** A mirror that does not go on gets another consumer; one that does not go on with that either is given up. */
  #goOnFrom(sequence: number): void {
    const stuck = new Error(`the mirror takes nothing behind record ${sequence}`);
    if (this.#stuckAt === sequence) this.#mirrorUnusable(this.position, stuck);
    else this.#askAgain();
    this.#stuckAt = sequence;
  }

  #askAgain(): void {
    this.#options.logger.warn({}, 'the mirror does not go on, its consumer is made anew');
    this.#options.mirrors.askAgain();
    this.#session = null;
  }

  async #standingForHello(): Promise<Hello> {
    const { identity, mirrors } = this.#options;
    const { first, ...end } = await mirrors.end(mirrors.served);
    const { sequence, chain } = this.#unusable?.point ?? end;
    const copy = mirrors.copy === null ? null : await mirrors.end(mirrors.copy);
    const epochs = this.database?.epochs ?? [];
    return {
      v: 1,
      identity,
      point: { sequence, chain },
      first_sequence: first,
      copy: copy && { sequence: copy.sequence, chain: copy.chain },
      mirror: await mirrors.id(),
      may_have_lost: this.mayHaveLost,
      stopped_at: this.stoppedAt,
      used_revision: this.usedRevision,
      founding: this.database?.founding?.id ?? '',
      epochs: epochs.slice(-helloEpochsMax),
    };
  }

  #refused({ reason, text }: Extract<HelloAnswer, { ok: false }>): void {
    if (reason !== 'starting' && this.#refusal?.text !== text) {
      this.#options.logger.error({ reason, text }, 'the leader refuses this follower');
    }
    this.#refusal = { reason, text };
    this.#session = null;
    this.#options.onLink();
  }

  /** Why the served copy is of no use any more, unless a new one is being made that is; null when there is nothing wrong. */
  async #whyCopyAnew(answer: Extract<HelloAnswer, { ok: true }>, forked: boolean): Promise<string | null> {
    const { mirrors } = this.#options;
    if (mirrors.copy) {
      if (!answer.copy_is_ours) return 'the new copy has another history than the leader';
      if (this.#unusable && !this.#unusable.isNewer) return this.#unusable.text;
      return (await this.#hasHole()) ? 'the new copy has a hole' : null;
    }
    if (forked) return 'the mirror has another history than the leader';
    if (this.#unusable) return this.#unusable.text;
    if (!(await mirrors.isMirrorOf(answer.stream))) return 'the copy follows no longer';
    return (await this.#hasHole()) ? 'the mirror has a hole' : null;
  }

  /** The leader has cleaned away what comes next: until the rest is whole and served, this node is no second copy. */
  get #hasGap(): boolean {
    return this.position.sequence + 1 < this.#leaderFirstSequence;
  }

  #hasHole(): Promise<boolean> {
    return this.#options.mirrors.hasHole(Math.max(this.#leaderFirstSequence, this.database?.cleanedTo ?? 1));
  }

  /** What happens to this node's copy of the log, for people; null when nothing does. */
  get notice(): string | null {
    const { mirrors } = this.#options;
    if (mirrors.copy) return `the log is copied anew from the leader (${mirrors.copy})`;
    return this.#refusal?.reason === 'restoring' ? this.#refusal.text : null;
  }

  /** Why this node cannot be the leader's follower at all, by its configuration or its log; null when it can. */
  get contradiction(): string | null {
    return this.#refusal?.reason === 'contradiction' ? this.#refusal.text : null;
  }

  /** Revisions that the leader has acknowledged and that are not shown here yet. */
  get lagRevisions(): number {
    return Math.max(this.#committed - (this.database?.store.visible ?? 0), 0);
  }

  /** For how long there have been such, in seconds. */
  get lagSeconds(): number {
    return this.lagRevisions === 0 ? 0 : (performance.now() - this.#caughtUpMs) / 1_000;
  }

  async #ask(method: string, payload: string | Uint8Array, timeout: number): Promise<unknown> {
    const { connection, peer } = this.#options;
    return (await connection.request(subjects.rpc(peer, method), payload, { timeout })).json();
  }

  /**
   * Resolves when the served database holds everything that was acknowledged anywhere when it was called. One question to
   * the leader serves all who wait for it.
   * @throws EtcdError when the leader does not answer
   */
  async linearizable(): Promise<void> {
    // Whoever comes while a question is on its way needs a later answer: the next question's.
    const asked = this.#readIndex;
    if (asked) await asked.catch(() => undefined);
    this.#readIndex ??= this.#askReadIndex().finally(() => {
      this.#readIndex = null;
    });
    const revision = await this.#readIndex;
    this.#committed = Math.max(this.#committed, revision);
    this.#show();
    await this.#gate.wait(revision, forwardTimeoutMs);
  }

  async #askReadIndex(): Promise<number> {
    const { connection, peer } = this.#options;
    try {
      const message = await connection.request(subjects.rpc(peer, 'read-index'), '', { timeout: 1_000 });
      const answer = readIndexAnswerSchema.parse(message.json());
      if (answer.session !== this.#session?.id) throw etcdErrors.leaderChanged();
      return answer.revision;
    } catch (error) {
      throw error instanceof EtcdError ? error : etcdErrors.timeout();
    }
  }

  /**
   * Passes a write on to the leader, once, and answers when this node's own database holds its outcome.
   * @throws EtcdError the leader's own, or one that says that the outcome is not known: no answer in time, or
   * {@link abandonForwards}
   */
  async forward(method: WriteMethod, request: Buffer, senderState: NodeState): Promise<Uint8Array> {
    const { connection, peer } = this.#options;
    const session = this.#session;
    if (!session) throw etcdErrors.noLeader();
    const deadline = performance.now() + session.clockOffsetMs + forwardTimeoutMs;
    const answered = connection.request(subjects.rpc(peer, 'write'), request, {
      timeout: forwardTimeoutMs,
      headers: forwardedWriteHeaders({ session: session.id, method, deadline, senderState }),
    });
    const message = await this.#answerOf(answered);
    const outcome = readWriteOutcome(message.headers);
    if (outcome.code !== status.OK) throw new EtcdError(outcome.code, outcome.text);
    this.#committed = Math.max(this.#committed, outcome.revision);
    this.#show();
    await this.#gate.wait(outcome.revision, forwardTimeoutMs);
    return message.data;
  }

  /** The answer to a forwarded write. @throws EtcdError when there is none: the outcome is not known */
  async #answerOf(answered: Promise<Msg>): Promise<Msg> {
    const abandoned = new Promise<never>((_resolve, reject) => {
      const abandon = () => reject(etcdErrors.connectionLost());
      this.#forwards.add(abandon);
      void answered.catch(() => undefined).then(() => this.#forwards.delete(abandon));
    });
    return Promise.race([answered, abandoned]).catch(() => {
      throw etcdErrors.connectionLost();
    });
  }

  /** No forwarded write waits any longer for the leader, as when this node goes on alone. Its outcome is not known. */
  abandonForwards(): void {
    for (const abandon of this.#forwards) abandon();
    this.#forwards.clear();
    this.#gate.giveUp();
  }

  /**
   * Hands the overlay's changes to the leader, in batches.
   * @returns the sequence at which all of it is in the log
   * @throws Error when the leader does not take it now; it may be tried again
   */
  async merge(overlay: OverlayChanges): Promise<number> {
    const session = this.#session?.id ?? '';
    const batches = splitBatches(overlay);
    let sequence = 0;
    for (const [index, batch] of batches.entries()) {
      const last = index === batches.length - 1;
      const { id, revision } = overlay;
      const request = mergeRequest.encode({ session, overlay: id, revision, ...batch, last });
      const answer = mergeAnswerSchema.parse(await this.#ask('merge', request, mergeTimeoutMs));
      if (!answer.ok) throw new Error(answer.text);
      sequence = answer.sequence;
    }
    return sequence;
  }
}

/** Batches of at most {@link mergeBytesMax} and {@link mergeKeysMax}; one empty batch when there is nothing, which still ends the merge. */
function splitBatches({ entries, conflicts }: OverlayChanges): Batch[] {
  let batch: Batch = { entries: [], conflicts: [] };
  const batches = [batch];
  let bytes = 0;
  const batchFor = (size: number): Batch => {
    const isFull = bytes + size > mergeBytesMax || batch.entries.length === mergeKeysMax;
    if (bytes > 0 && isFull) {
      batch = { entries: [], conflicts: [] };
      batches.push(batch);
      bytes = 0;
    }
    bytes += size;
    return batch;
  };
  for (const conflict of conflicts) {
    const encoded = conflictCodec.encode(conflict);
    batchFor(encoded.length).conflicts.push({ bytes: encoded });
  }
  for (const entry of entries) batchFor(entry.key.length + entry.value.length + 64).entries.push(entry);
  return batches;
}

/** A part of an overlay that goes in one request. */
type Batch = Pick<Infer<typeof mergeRequest>, 'entries' | 'conflicts'>;
