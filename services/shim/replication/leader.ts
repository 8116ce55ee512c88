import { existsSync } from 'node:fs';
import { type JetStreamManager, type Msg, type NatsConnection, nanos, type Subscription } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import { decodeMessage } from '../../../shared/messages.ts';
import { mirrorConsumer, mirrorDeliverSubject } from '../../../shared/nats-server/names.ts';
import type { NodeState } from '../../../shared/node.ts';
import { subjects } from '../../../shared/subjects.ts';
import type { WriteMethod } from '../backend.ts';
import { EtcdError } from '../etcd/errors.ts';
import { status } from '../etcd/grpc/status.ts';
import type { GroupCommit, LogPosition } from '../log/group-commit.ts';
import type { OwnedLog } from '../log/owned-log.ts';
import { conflictCodec } from '../log/record.ts';
import { chainAt, findStream, jetStreamError, jetStreamErrorCode } from '../log/stream.ts';
import type { Database, Epoch } from '../store/database.ts';
import { leaderBandAfterLoss } from '../store/revision-band.ts';
import type { Arbiter } from './arbiter.ts';
import { commonSequence, type LogView } from './compare.ts';
import { contradiction } from './contradiction.ts';
import { jumpTo, mergeBatch } from './merge.ts';
import { PeerLog } from './peer-log.ts';
import {
  type Hello,
  type HelloAnswer,
  helloSchema,
  type Identity,
  type MergeAnswer,
  mergeRequest,
  type PingAnswer,
  type Point,
  readForwardedWrite,
  storedSchema,
  writeOutcomeHeaders,
} from './protocol.ts';
import { ReplicatedWrites } from './replicated-writes.ts';
import { endRestore, restoreLog } from './restore.ts';

/** How often a mirror that is behind is shown that it is, at most, in milliseconds: as often as its consumer does when nothing is written. */
const noOpIntervalMs = 1_000;

export interface LeaderReplicationOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  self: string;
  peer: string;
  /** The log's stream. */
  stream: string;
  ack: 'both' | 'local';
  ackTimeoutMs: number;
  /** Who this node is. */
  identity: Identity;
  log: OwnedLog;
  /** Size limit of the log's stream in bytes. */
  maxBytes: number;
  /** File that says, while it is there, that the log lacks records which the follower holds. */
  restoreMark: string;
  /** Where the log stands as far as this node knows. */
  position: () => LogPosition;
  /** Whether the log takes writes: one that is full or broken counts as out of reach. */
  takesWrites: () => boolean;
  /** Whether the log is being opened for writing, or is open. */
  isOpening: () => boolean;
  /** Decides what both nodes changed while apart. */
  arbiter: Arbiter;
  /** Called when the logs were compared and ours lacks nothing, or both went apart (`isPrefix` false): it may be written now. */
  onCompared: (isPrefix: boolean, usedRevision: number) => Promise<void>;
  /** Called when the log got back from the follower what it had lost: it is to be read anew. */
  onRestored: () => void;
  /** Runs a write of the follower, if this node's state and the lists allow it. */
  write: (method: WriteMethod, request: Buffer, sender: NodeState) => Promise<Uint8Array>;
  logger: Logger;
}

const busy: HelloAnswer = { ok: false, reason: 'starting', text: 'the leader compares the logs already' };

/** The leader's writing side, once its log is verified. */
export interface Session {
  epoch: Epoch;
  commit: GroupCommit;
}

/** The leader's side of replication: compares logs, feeds the mirror, takes forwarded writes and merges overlays. */
export class LeaderReplication {
  readonly #options: LeaderReplicationOptions;
  readonly replicated: ReplicatedWrites;
  readonly #subscriptions: Subscription[] = [];
  #session: Session | null = null;
  /** A follower has followed this log before, in this life of the leader or in an earlier one. */
  #wasFollowed = false;
  /** The mirror that the consumer was made for; null when there is no consumer. */
  #fedMirror: string | null = null;
  #restoring: Promise<void> | null = null;
  /** What became of the last try to restore the log, to be added to a sentence. */
  #lastTry = '';
  /** It is known that the log lacks records which the follower holds, from now or from an earlier life of this leader. */
  #lacksRecords: boolean;
  /** A hello is being answered. */
  #comparing = false;
  #notice: string | null = null;
  #noOpMs = Number.NEGATIVE_INFINITY;
  readonly #peerLog: PeerLog;

  constructor(options: LeaderReplicationOptions) {
    this.#options = options;
    this.replicated = new ReplicatedWrites(options);
    this.#lacksRecords = existsSync(options.restoreMark);
    this.#peerLog = new PeerLog(options.connection, options.peer);
  }

  /** Takes away the mirror's consumer: nothing reaches the follower before the logs were compared. */
  async start(): Promise<void> {
    this.#wasFollowed = await this.#deleteConsumer();
    this.#serve('hello', (message) => this.#hello(message));
    this.#serve('ping', async (message) => {
      message.respond(JSON.stringify(this.#ping()));
    });
    this.#serve('read-index', async (message) => {
      if (!this.#session) return;
      const revision = this.#database.store.visible;
      message.respond(JSON.stringify({ session: this.#session.epoch.id, revision }));
    });
    this.#serve('stored', async (message) => this.#stored(message));
    this.#serve('write', (message) => this.#write(message));
    this.#serve('merge', (message) => this.#merge(message));
  }

  /** The log lacks records that the follower holds: it takes them, or waits for the follower. */
  get lacksRecords(): boolean {
    return this.#lacksRecords;
  }

  /** The log goes on without the records that it lacks: their only other copy is gone for good, as a person said. */
  async giveUpMissing(): Promise<void> {
    const { manager, restoreMark: mark, logger } = this.#options;
    logger.error('the log goes on without the records that it lacks');
    await endRestore({ manager, mark });
    this.#lacksRecords = false;
  }

  /** What is wrong between the two logs, for people; null when nothing is. */
  get notice(): string | null {
    return this.#notice;
  }

  get #database(): Database {
    return this.#options.log.database;
  }

  stop(): void {
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    this.replicated.leave('stopping');
  }

  /** The log may be written now, under this epoch. */
  open(session: Session): void {
    this.#session = session;
  }

  /** Tells the follower up to where everything is acknowledged. */
  announce(revision: number): void {
    const { connection, peer } = this.#options;
    if (!this.#session || connection.isClosed()) return;
    connection.publish(
      subjects.rpc(peer, 'commit'),
      JSON.stringify({ session: this.#session.epoch.id, revision }),
    );
  }

  #serve(method: string, handle: (message: Msg) => Promise<void>): void {
    const { connection, self, logger } = this.#options;
    const callback = (error: Error | null, message: Msg) => {
      if (error) return;
      handle(message).catch((fault: unknown) =>
        logger.error({ err: fault, method }, 'a request of the peer failed'),
      );
    };
    this.#subscriptions.push(connection.subscribe(subjects.rpc(self, method), { callback }));
  }

  #ping(): PingAnswer {
    return {
      session: this.#session?.epoch.id ?? null,
      sequence: this.#options.position().sequence,
      revision: this.#database.store.visible,
      takes_writes: this.#options.takesWrites(),
      clock_ms: performance.now(),
    };
  }

  async #hello(message: Msg): Promise<void> {
    const hello = decodeMessage(helloSchema, message.data);
    if (!hello.ok) {
      this.#options.logger.warn({ error: hello.error }, 'a malformed hello');
      return;
    }
    // The log may not open for long: who asks again meanwhile must not wait too.
    const answer = this.#comparing ? busy : await this.#compareOnce(hello.value);
    message.respond(JSON.stringify(answer));
  }

  async #compareOnce(hello: Hello): Promise<HelloAnswer> {
    this.#comparing = true;
    try {
      return await this.#compare(hello);
    } finally {
      this.#comparing = false;
    }
  }

  /** Compares the follower's log with ours, and lets its mirror go on from there; or takes what ours lacks first. */
  async #compare(hello: Hello): Promise<HelloAnswer> {
    const { identity, log, logger } = this.#options;
    const contradicts = contradiction(identity, hello.identity);
    if (contradicts !== null) return this.#refuse(contradicts);
    const theirs = this.#viewOf(hello);
    const { ours, common } = await this.#compareWith(theirs);
    const foreign = this.#foreignLog(hello, common);
    if (foreign !== null) return this.#refuse(foreign);
    const isBehind = common === ours.last && theirs.last > common;
    if (!this.#options.isOpening() && (log.fault !== null || this.#lacksRecords || isBehind)) {
      const isAhead = log.fault === null && common === theirs.last;
      return this.#restore(theirs, common, isAhead || (log.damage === null && common === ours.last));
    }
    this.#notice = null;
    await this.#options.onCompared(common === theirs.last, hello.used_revision);
    const session = this.#session;
    if (!session) return { ok: false, reason: 'starting', text: 'the leader is starting' };
    // Its consumer counts as delivered what the follower's disk has lost.
    if (hello.may_have_lost && hello.point.sequence < this.replicated.stored) this.#fedMirror = null;
    if (this.#hasLost(hello, session)) await this.#jumpAboveLost(session.commit, hello.used_revision);
    const copyIsOurs = hello.copy === null || (await this.#isOurs(hello.copy));
    if (common < theirs.last && hello.copy === null) {
      logger.error({ common, ...hello.point }, 'the follower has another history behind this record');
    }
    // A copy that is not ours is given up by the follower before it says hello again.
    if (copyIsOurs && (hello.copy || common === theirs.last)) {
      const { sequence } = hello.copy ?? hello.point;
      await this.#feedMirror(hello.mirror, sequence + 1);
      if (sequence < session.commit.position.sequence) this.#showGap(session.commit);
    }
    return {
      ok: true,
      session: session.epoch.id,
      epoch: session.epoch.number,
      epoch_first_sequence: session.epoch.firstSequence,
      stream: this.#options.stream,
      common,
      copy_is_ours: copyIsOurs,
      sequence: session.commit.position.sequence,
      revision: this.#database.store.visible,
      first_sequence: log.firstSequence,
      clock_ms: performance.now(),
    };
  }

  async #compareWith(theirs: LogView): Promise<{ ours: LogView; common: number }> {
    for (;;) {
      const ours = await this.#view();
      const common = await commonSequence(ours, theirs);
      // Cleaned meanwhile, it has lost records that were compared.
      if (ours.first === this.#options.log.firstSequence) return { ours, common };
    }
  }

  /**
   * Whether the follower's disk has lost what it must hold, or may have: it has been off, and what it wrote alone is known to nobody
   * else. Of an earlier life of this leader only that it held something is known. While its mirror is fed the question is no use:
   * more is stored by the time that a hello is here.
   */
  #hasLost(hello: Hello, { epoch }: Session): boolean {
    const { mirror, point, may_have_lost } = hello;
    const held = Math.max(this.replicated.stored, 1);
    // A life before the last may have ended before it met the follower, and left no consumer.
    const wasFollowed = this.#wasFollowed || epoch.number > 1;
    const mayHave = may_have_lost && !this.#isAsItStopped(hello);
    return wasFollowed && (mayHave || (mirror !== this.#fedMirror && point.sequence < held));
  }

  /**
   * A follower that was stopped on purpose wrote nothing alone that is not here or in its overlay. It is believed only where this
   * leader has met it in this life, and knows of nothing that it stored later: an old copy of its disk would say the same. What its
   * mirror holds by now is no use, it may have caught up.
   */
  #isAsItStopped({ stopped_at }: Hello): boolean {
    const { stored } = this.replicated;
    return stopped_at !== null && stored > 0 && stopped_at >= stored;
  }

  /**
   * The follower's disk may have lost records, and with them what it wrote alone, in the odd band above them: nobody can
   * say any more. Its clients saw those revisions, so this log goes on above them.
   */
  async #jumpAboveLost(commit: GroupCommit, usedRevision: number): Promise<void> {
    const database = this.#database;
    const jump = jumpTo(database.store, leaderBandAfterLoss(Math.max(database.store.head, usedRevision)));
    this.#options.logger.warn(
      { revision: database.store.head },
      'the follower may have lost what it wrote alone: the revision jumps',
    );
    await commit.append(jump);
    this.replicated.forget();
  }

  #refuse(text: string): HelloAnswer {
    if (this.#notice !== text) this.#options.logger.error({ text }, 'the follower is refused');
    this.#notice = text;
    return { ok: false, reason: 'contradiction', text };
  }

  /**
   * Two logs that began apart belong to two clusters, whatever the configuration says. One that is not whole may have lost the
   * record that tells how it began: then it belongs to a log with which it shares a record or an epoch.
   */
  #foreignLog({ founding, identity, epochs }: Hello, common: number): string | null {
    const { epochs: own, founding: began } = this.#database;
    if (!began || founding === '' || began.id === founding) return null;
    const isShared = common > 0 || own.some(({ id }) => epochs.some((theirs) => theirs.id === id));
    if (this.#options.log.fault !== null && isShared) return null;
    return (
      `the logs of ${this.#options.self} and ${identity.node} began apart: they belong to two clusters. ` +
      'Empty the store of the one that is to be given up'
    );
  }

  /** This log, as far as it is good. While it is written the follower may hold a record before its acknowledgement is here. */
  async #view(): Promise<LogView> {
    const { log, manager, stream, position } = this.#options;
    const written = this.#session ? await findStream(manager, stream) : null;
    const sequence = written?.state.last_seq ?? position().sequence;
    return {
      first: log.firstSequence,
      last: sequence < log.firstSequence ? 0 : sequence,
      epochs: this.#database.epochs,
      chainAt: (at) => chainAt(manager, stream, at),
    };
  }

  #viewOf({ point, first_sequence, epochs }: Hello): LogView {
    return {
      first: first_sequence,
      last: point.sequence,
      epochs,
      chainAt: async (at) => (at === point.sequence ? point.chain : this.#peerLog.chainAt(at)),
    };
  }

  /** Whether this log holds that very record; an empty log is the beginning of every other. */
  async #isOurs({ sequence, chain }: Point): Promise<boolean> {
    const { manager, stream } = this.#options;
    return sequence === 0 || (await chainAt(manager, stream, sequence)) === chain;
  }

  /** Takes the missing records from the follower, in the background; the next hellos are answered with that meanwhile. */
  #restore(peer: LogView, common: number, isPrefix: boolean): HelloAnswer {
    const { position, log, logger, onRestored, restoreMark, self, peer: name } = this.#options;
    const text = `${self} lacks records of the log and takes them from ${name}, up to record ${peer.last}${this.#lastTry}`;
    this.#notice = text;
    const { sequence, chain } = position();
    this.#lacksRecords = true;
    this.#restoring ??= restoreLog({
      ...this.#options,
      peerLog: this.#peerLog,
      position: { sequence, chain: sequence < log.firstSequence ? null : chain },
      isPrefix,
      common,
      mark: restoreMark,
      peerFirst: peer.first,
      peerLast: peer.last,
    })
      .then(onRestored, (error: Error) => {
        this.#lastTry = `; the last try failed: ${error.message}`;
        logger.error({ err: error }, 'the log could not be restored, it is tried again');
      })
      .finally(() => {
        this.#restoring = null;
      });
    return { ok: false, reason: 'restoring', text };
  }

  /**
   * Makes the mirror's consumer, once for each session and for each new mirror: after a cut a mirror finds its place again by
   * itself. A consumer made anew counts its deliveries from 1, which a mirror may take for the next of the old one's, and
   * leave a hole.
   */
  async #feedMirror(mirror: string, from: number): Promise<void> {
    if (this.#fedMirror === mirror) return;
    // Where it cannot be made, as on a full disk, none is fed: not the one of before either.
    this.#fedMirror = null;
    await this.#deleteConsumer();
    await this.#createConsumer(from);
    this.#fedMirror = mirror;
    this.#wasFollowed = true;
    this.#options.logger.info({ from }, 'the logs are one, the mirror goes on');
  }

  /**
   * What was sent into a cut is missed by the mirror's nats-server only when something comes after it. That may be the consumer's
   * next heartbeat, a second later.
   */
  #showGap(commit: GroupCommit): void {
    const nowMs = performance.now();
    if (nowMs - this.#noOpMs < noOpIntervalMs) return;
    this.#noOpMs = nowMs;
    commit.appendNoOp().catch((error: unknown) => {
      this.#options.logger.debug({ err: error }, 'the mirror could not be shown what it lacks');
    });
  }

  /** Returns whether there was one. */
  async #deleteConsumer(): Promise<boolean> {
    const { manager, stream, peer } = this.#options;
    return manager.consumers.delete(stream, mirrorConsumer(peer)).catch((error: unknown) => {
      const code = jetStreamErrorCode(error);
      if (code !== jetStreamError.consumerNotFound && code !== jetStreamError.streamNotFound) throw error;
      return false;
    });
  }

  /**
   * Makes the durable push consumer that feeds the mirror. Too low a start is safe, the mirror knows what it has; too high
   * a one would be a silent gap.
   */
  async #createConsumer(from: number): Promise<void> {
    const { connection, stream, peer } = this.#options;
    const name = mirrorConsumer(peer);
    const config = {
      durable_name: name,
      name,
      deliver_subject: mirrorDeliverSubject(peer),
      ...(from > 1
        ? { deliver_policy: 'by_start_sequence', opt_start_seq: from }
        : { deliver_policy: 'all' }),
      ack_policy: 'flow_control',
      max_deliver: -1,
      flow_control: true,
      idle_heartbeat: nanos(1_000),
      replay_policy: 'instant',
    };
    // The library does not know this ack policy yet, so the request is made by hand.
    const answer = await connection.request(
      `$JS.API.CONSUMER.CREATE.${stream}.${name}`,
      JSON.stringify({ stream_name: stream, action: 'create', config }),
      { timeout: 5_000 },
    );
    const { error } = answer.json<{ error?: { description?: string } }>();
    if (error) throw new Error(`the mirror's consumer cannot be made: ${error.description}`);
  }

  #stored(message: Msg): void {
    const stored = decodeMessage(storedSchema, message.data);
    if (!stored.ok || stored.value.session !== this.#session?.epoch.id) return;
    this.replicated.storedUpTo(stored.value.sequence, this.#session.commit.position.sequence);
  }

  async #write(message: Msg): Promise<void> {
    const write = readForwardedWrite(message.headers);
    // A request of another life, or one that was on its way for too long: its sender has given up on it.
    if (write.session !== this.#session?.epoch.id || performance.now() > write.deadline) return;
    try {
      const response = await this.#options.write(write.method, Buffer.from(message.data), write.senderState);
      const outcome = { code: status.OK, text: '', revision: this.#database.store.visible };
      message.respond(response, { headers: writeOutcomeHeaders(outcome) });
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const outcome = { code: error.code, text: error.message, revision: 0 };
      message.respond('', { headers: writeOutcomeHeaders(outcome) });
    }
  }

  async #merge(message: Msg): Promise<void> {
    const request = mergeRequest.decode(message.data);
    const conflicts = request.conflicts.map(({ bytes }) => conflictCodec.decode(Buffer.from(bytes)));
    const batch = { ...request, conflicts };
    const session = this.#session;
    if (batch.session !== session?.epoch.id) return;
    const { self, peer, logger, arbiter } = this.#options;
    const { commit } = session;
    const database = this.#database;
    const context = { arbiter, database, commit, leader: self, follower: peer, now: Date.now, logger };
    const answer = await mergeBatch(context, batch).then(
      (): MergeAnswer => ({ ok: true, sequence: commit.position.sequence, text: '' }),
      (error: Error): MergeAnswer => ({ ok: false, sequence: 0, text: error.message }),
    );
    message.respond(JSON.stringify(answer));
  }
}
