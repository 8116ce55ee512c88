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
import { chainOf } from '../log/record.ts';
import { jetStreamError, jetStreamErrorCode, readMessage } from '../log/stream.ts';
import type { Database, Epoch } from '../store/database.ts';
import { nextOddBand } from '../store/revision-band.ts';
import { jumpAbove, mergeBatch } from './merge.ts';
import {
  type Hello,
  type HelloAnswer,
  helloSchema,
  type MergeAnswer,
  mergeRequest,
  type PingAnswer,
  readForwardedWrite,
  storedSchema,
  writeOutcomeHeaders,
} from './protocol.ts';
import { ReplicatedWrites } from './replicated-writes.ts';

export interface LeaderReplicationOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  self: string;
  peer: string;
  /** The log's stream. */
  stream: string;
  ack: 'both' | 'local';
  ackTimeoutMs: number;
  database: Database;
  /** Where the log stands as far as this node knows. */
  position: () => LogPosition;
  /** The first record that the log still holds. */
  firstSequence: () => number;
  /** Whether the log takes writes: one that is full or broken counts as out of reach. */
  takesWrites: () => boolean;
  /** Called when the follower's log was found to be a prefix of ours: this one may be written now. */
  onCompared: () => Promise<void>;
  /** Runs a write of the follower, if this node's state and the lists allow it. */
  write: (method: WriteMethod, request: Buffer, sender: NodeState) => Promise<Uint8Array>;
  logger: Logger;
}

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
  #feedsMirror = false;
  /** A follower has followed this log before, in this life of the leader or in an earlier one. */
  #wasFollowed = false;

  constructor(options: LeaderReplicationOptions) {
    this.#options = options;
    this.replicated = new ReplicatedWrites(options);
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
      const revision = this.#options.database.store.visible;
      message.respond(JSON.stringify({ session: this.#session.epoch.id, revision }));
    });
    this.#serve('stored', async (message) => this.#stored(message));
    this.#serve('write', (message) => this.#write(message));
    this.#serve('merge', (message) => this.#merge(message));
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
      revision: this.#options.database.store.visible,
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
    message.respond(JSON.stringify(await this.#compare(hello.value)));
  }

  /** Compares the follower's log with ours at its end, and lets the mirror go on from there if they are one. */
  async #compare(hello: Hello): Promise<HelloAnswer> {
    const { position, onCompared, database } = this.#options;
    const { sequence } = hello.point;
    if (sequence > position().sequence) {
      const text = `the follower's log goes up to record ${sequence}, the leader's only to ${position().sequence}`;
      return { ok: false, reason: 'behind', text };
    }
    if (sequence > 0 && !(await this.#isOurs(hello))) {
      const text = `record ${sequence} differs: the two logs have different histories`;
      return { ok: false, reason: 'diverged', text };
    }
    await onCompared();
    const session = this.#session;
    if (!session) return { ok: false, reason: 'starting', text: 'the leader is starting' };
    if (this.#wasFollowed && sequence < this.#followedTo) await this.#jumpAboveLost(session.commit);
    await this.#feedMirror(sequence + 1);
    return {
      ok: true,
      session: session.epoch.id,
      epoch: session.epoch.number,
      sequence: session.commit.position.sequence,
      revision: database.store.visible,
      first_sequence: this.#options.firstSequence(),
      clock_ms: performance.now(),
    };
  }

  /** What the follower must hold, unless its disk lost it. Of an earlier life of this leader only that it held something. */
  get #followedTo(): number {
    return Math.max(this.replicated.stored, 1);
  }

  /**
   * The follower's disk has lost records, and with them what it may have written alone, in the odd band above them: nobody
   * can say any more. Its clients saw those revisions, so this log goes on above them.
   */
  async #jumpAboveLost(commit: GroupCommit): Promise<void> {
    const { database, logger } = this.#options;
    const jump = jumpAbove(database.store, nextOddBand(database.store.head));
    logger.warn({ revision: database.store.head }, 'the follower has lost what it held: the revision jumps');
    await commit.append(jump);
    this.replicated.forget();
  }

  /**
   * Makes the mirror's consumer, once for each session and for each new mirror: after a cut a mirror finds its place again by
   * itself. A consumer made anew counts its deliveries from 1, which a mirror may take for the next of the old one's, and
   * leave a hole.
   */
  async #feedMirror(from: number): Promise<void> {
    if (this.#feedsMirror && from > 1) return;
    await this.#deleteConsumer();
    await this.#createConsumer(from);
    this.#feedsMirror = true;
    this.#wasFollowed = true;
    this.#options.logger.info({ from }, 'the logs are one, the mirror goes on');
  }

  /**
   * Whether the follower's newest record is the one that this log has, or had, at that sequence. One that is cleaned away is
   * known by its epoch: within one epoch a sequence has one record only.
   */
  async #isOurs({ point, epoch }: Hello): Promise<boolean> {
    const { manager, stream, database } = this.#options;
    const record = await readMessage(manager, stream, point.sequence);
    if (record) return chainOf(record) === point.chain;
    const at = database.epochs.findIndex(({ id }) => id === epoch);
    const from = database.epochs[at]?.firstSequence ?? Number.POSITIVE_INFINITY;
    const to = database.epochs[at + 1]?.firstSequence ?? Number.POSITIVE_INFINITY;
    return at >= 0 && point.sequence >= from && point.sequence < to;
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
    const { database } = this.#options;
    try {
      const response = await this.#options.write(write.method, Buffer.from(message.data), write.senderState);
      const outcome = { code: status.OK, text: '', revision: database.store.visible };
      message.respond(response, { headers: writeOutcomeHeaders(outcome) });
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const outcome = { code: error.code, text: error.message, revision: 0 };
      message.respond('', { headers: writeOutcomeHeaders(outcome) });
    }
  }

  async #merge(message: Msg): Promise<void> {
    const batch = mergeRequest.decode(message.data);
    const session = this.#session;
    if (batch.session !== session?.epoch.id) return;
    const answer = await mergeBatch(this.#options.database, session.commit, batch).then(
      (): MergeAnswer => ({ ok: true, sequence: session.commit.position.sequence, text: '' }),
      (error: Error): MergeAnswer => ({ ok: false, sequence: 0, text: error.message }),
    );
    message.respond(JSON.stringify(answer));
  }
}
