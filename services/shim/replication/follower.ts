import type { JetStreamManager, Msg, NatsConnection, StreamConfig, Subscription } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import { decodeMessage } from '../../../shared/messages.ts';
import { jetStreamApi, mirrorConsumer, mirrorDeliverSubject } from '../../../shared/nats-server/names.ts';
import type { NodeState } from '../../../shared/node.ts';
import { subjects } from '../../../shared/subjects.ts';
import type { WriteMethod } from '../backend.ts';
import { EtcdError, etcdErrors } from '../etcd/errors.ts';
import { status } from '../etcd/grpc/status.ts';
import type { LogPosition } from '../log/group-commit.ts';
import { chainOf } from '../log/record.ts';
import { findStream, readMessage } from '../log/stream.ts';
import type { Database } from '../store/database.ts';
import { MirrorFold } from './mirror-fold.ts';
import {
  commitSchema,
  forwardedWriteHeaders,
  helloAnswerSchema,
  type MergeEntry,
  mergeAnswerSchema,
  mergeRequest,
  pingAnswerSchema,
  readIndexAnswerSchema,
  readWriteOutcome,
} from './protocol.ts';
import { RevisionGate } from './revision-gate.ts';

/** How often the leader's shim is asked whether it is there, and how long it may take, in milliseconds. */
const pingIntervalMs = 500;
const pingTimeoutMs = 400;
/** A mirror that heard nothing from its origin for this long, in nanoseconds, is not active. */
const mirrorSilenceMaxNs = 2e9;
/** How long a forwarded write may take, in milliseconds; then its outcome is unknown. */
const forwardTimeoutMs = 5_000;
const helloTimeoutMs = 5_000;
/** How long a batch of a merge may take, in milliseconds: while it is waited for this node takes no writes. */
const mergeTimeoutMs = 2_000;
/** Bytes of values in one merge request; the server's max_payload is well above. */
const mergeBytesMax = 1024 * 1024;

export interface FollowerReplicationOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  self: string;
  peer: string;
  stream: string;
  logger: Logger;
  /** Called when the leader has found our log to be a prefix of its own. */
  onJoined: () => Promise<void>;
  /** Called when revisions of the served database became visible. */
  onVisible: (from: number, to: number) => void;
  /** Called when the mirror was given up, to be copied anew: what is folded of it does not go on. */
  onMirrorDropped: () => void;
  /** Called before the oldest part of the mirror is removed. */
  beforePurge: () => void;
  /** Called when {@link FollowerReplication.linkWorks} or {@link FollowerReplication.failure} changed. */
  onLink: () => void;
}

/** The leader's shim as this node knows it. */
interface LeaderSession {
  id: string;
  epoch: number;
  /** The leader's monotonic clock minus ours, in ms; too small rather than too big. */
  clockOffsetMs: number;
}

/** A mirror with a record that cannot be read. */
interface UnusableMirror {
  /** Up to where it is folded. */
  point: LogPosition;
  /** Names the record and what is wrong with it. */
  text: string;
}

/** The follower's side of replication: keeps the mirror, asks the leader for read indexes, and passes writes on. */
export class FollowerReplication {
  readonly #options: FollowerReplicationOptions;
  readonly #subscriptions: Subscription[] = [];
  readonly #gate = new RevisionGate();
  #fold: MirrorFold | null = null;
  #session: LeaderSession | null = null;
  #refusal: string | null = null;
  #unusable: UnusableMirror | null = null;
  /** What was wrong with the mirror when it was last copied anew. */
  #copiedAnewFor = '';
  #linkWorks = false;
  #committed = 0;
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

  /** Why the leader does not take us as its follower; null when it does, or was not asked yet. */
  get refusal(): string | null {
    return this.#refusal;
  }

  /** Why the mirror cannot be used; null while it can. */
  get failure(): string | null {
    return this.#unusable?.text ?? null;
  }

  /** Starts to follow: with what the mirror holds, and then with what the leader says. */
  async start(): Promise<void> {
    const { connection, self } = this.#options;
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
    );
    void this.#pingLoop();
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
   * Folds the mirror anew, from its first record or from `from` on, up to `upTo` or without end; the caller decides when it
   * is served.
   * @returns null when there is no mirror
   */
  async openFold(
    on: {
      applied: (fold: MirrorFold) => void;
      gap: (fold: MirrorFold, sequence: number) => void;
      unusable: (error: Error) => void;
    },
    { from, upTo }: { from?: number | undefined; upTo?: number | undefined } = {},
  ): Promise<MirrorFold | null> {
    const { connection, manager, stream, logger } = this.#options;
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
      onError: (error) => {
        this.#mirrorUnusable(fold.position, error);
        on.unusable(error);
      },
    });
    return fold;
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
    this.#unusable = { point, text: error.message };
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
    const { manager, stream, logger, beforePurge } = this.#options;
    this.#purgedTo = sequence;
    beforePurge();
    manager.streams.purge(stream, { seq: sequence }).then(
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
    if (this.#storedScheduled || !this.#session || this.#frozen) return;
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
    if (!this.#stopped) this.#pingTimer = setTimeout(() => void this.#pingLoop(), pingIntervalMs);
  }

  async #ping(): Promise<void> {
    const answer = pingAnswerSchema.parse(await this.#ask('ping', '{}', pingTimeoutMs));
    if (answer.session === null || answer.session !== this.#session?.id) {
      await this.#hello();
    } else {
      this.#session.clockOffsetMs = answer.clock_ms - performance.now();
      this.#committed = Math.max(this.#committed, answer.revision);
    }
    this.#linkWorks = answer.takes_writes && (await this.#mirrorIsActive());
    this.#scheduleStored();
    this.#show();
  }

  /** Asks the leader to compare the logs; on its word the mirror is made, or goes on. */
  async #hello(): Promise<void> {
    const { self, logger, onJoined } = this.#options;
    const point = this.#unusable?.point ?? (await this.#mirrorPoint());
    const epoch = this.database?.epoch?.id ?? '';
    const hello = { v: 1, node: self, point, epoch };
    const answer = helloAnswerSchema.parse(await this.#ask('hello', JSON.stringify(hello), helloTimeoutMs));
    if (!answer.ok) {
      if (answer.reason !== 'starting' && this.#refusal !== answer.text) {
        logger.error({ reason: answer.reason, text: answer.text }, 'the leader refuses this follower');
      }
      this.#refusal = answer.text;
      this.#session = null;
      throw new Error(answer.text);
    }
    this.#refusal = null;
    if (this.#unusable) return this.#replaceUnusable(this.#unusable);
    this.#leaderFirstSequence = answer.first_sequence;
    if (await this.#hasHole()) {
      await this.#dropMirror('it has a hole');
      throw new Error('the mirror has a hole, it is copied anew');
    }
    await this.#ensureMirror();
    this.#committed = Math.max(this.#committed, answer.revision);
    this.#leaderSequence = answer.sequence;
    const clockOffsetMs = answer.clock_ms - performance.now();
    this.#session = { id: answer.session, epoch: answer.epoch, clockOffsetMs };
    logger.info(
      { session: answer.session, epoch: answer.epoch, sequence: point.sequence },
      'joined the leader',
    );
    try {
      await onJoined();
    } catch (error) {
      this.#session = null;
      throw error;
    }
  }

  /** The newest record that the mirror's stream holds, whatever is folded of it. Its end may be a hole. */
  async #mirrorPoint(): Promise<LogPosition> {
    const { manager, stream } = this.#options;
    const state = (await findStream(manager, stream, { deleted_details: true }))?.state;
    const missing = new Set(state?.deleted);
    let sequence = state?.messages ? state.last_seq : 0;
    while (missing.has(sequence)) sequence--;
    const bytes = sequence > 0 ? await readMessage(manager, stream, sequence) : null;
    return bytes ? { sequence, chain: chainOf(bytes) } : { sequence: 0, chain: 0 };
  }

  /** Whether records are missing in the mirror which the leader still holds. What is before its first one was cleaned away. */
  async #hasHole(): Promise<boolean> {
    const { manager, stream } = this.#options;
    const info = await findStream(manager, stream, { deleted_details: true });
    // A mirror that passed over all that there was holds no message, but has numbers for them.
    if (!info || info.state.last_seq === 0) return false;
    const { first_seq, deleted = [] } = info.state;
    const needed = Math.max(this.#leaderFirstSequence, this.database?.cleanedTo ?? 1);
    return first_seq > needed || deleted.some((sequence) => sequence >= needed);
  }

  /** Once. If the new copy has the same fault, so has the leader's log: it stays as it is, and the failure is told. */
  async #replaceUnusable({ text }: UnusableMirror): Promise<never> {
    if (this.#copiedAnewFor === text) throw new Error(`copied anew, and still ${text}`);
    await this.#dropMirror(text);
    this.#copiedAnewFor = text;
    this.#unusable = null;
    throw new Error('the mirror is copied anew');
  }

  /**
   * A hole in a mirror can never be filled, nor a record mended. The leader's log is whole and one with ours, so it is copied
   * anew; what is served stays in memory until then.
   */
  async #dropMirror(why: string): Promise<void> {
    const { manager, stream, logger } = this.#options;
    logger.error({ stream, why }, 'the mirror is copied anew from the leader');
    this.#session = null;
    await manager.streams.delete(stream);
    this.#options.onMirrorDropped();
  }

  async #ensureMirror(): Promise<void> {
    const { manager, stream, self, peer } = this.#options;
    if (await findStream(manager, stream)) return;
    const config = {
      name: stream,
      storage: 'file',
      mirror: {
        name: stream,
        external: { api: jetStreamApi(peer), deliver: '' },
        consumer: { name: mirrorConsumer(self), deliver_subject: mirrorDeliverSubject(self) },
      },
      mirror_direct: false,
      allow_direct: true,
    };
    // The library's types do not know `mirror.consumer` yet.
    await manager.streams.add(config as unknown as StreamConfig);
  }

  async #mirrorIsActive(): Promise<boolean> {
    const info = await findStream(this.#options.manager, this.#options.stream);
    const active = info?.mirror?.active ?? -1;
    // NATS may pass over records after a cut, also over the newest ones, and nothing comes to tell of the hole.
    if (info && (info.state.num_deleted ?? 0) > 0 && (await this.#hasHole())) {
      this.leave();
      return false;
    }
    return active >= 0 && active <= mirrorSilenceMaxNs;
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

  /** This node goes on alone: no forwarded write waits any longer for the leader. Its outcome is not known. */
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
  async merge(overlay: { id: string; revision: number; entries: MergeEntry[] }): Promise<number> {
    const session = this.#session?.id ?? '';
    const batches = splitBatches(overlay.entries);
    let sequence = 0;
    for (const [index, entries] of batches.entries()) {
      const last = index === batches.length - 1;
      const { id, revision } = overlay;
      const request = mergeRequest.encode({ session, overlay: id, revision, entries, last });
      const answer = mergeAnswerSchema.parse(await this.#ask('merge', request, mergeTimeoutMs));
      if (!answer.ok) throw new Error(answer.text);
      sequence = answer.sequence;
    }
    return sequence;
  }
}

/** Batches of at most {@link mergeBytesMax}; one empty batch when there is nothing, which still ends the merge. */
function splitBatches(entries: MergeEntry[]): MergeEntry[][] {
  const batches: MergeEntry[][] = [[]];
  let bytes = 0;
  for (const entry of entries) {
    const size = entry.key.length + entry.value.length + 64;
    if (bytes > 0 && bytes + size > mergeBytesMax) {
      batches.push([]);
      bytes = 0;
    }
    bytes += size;
    batches[batches.length - 1]?.push(entry);
  }
  return batches;
}
