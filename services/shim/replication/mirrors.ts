import { randomBytes } from 'node:crypto';
import type { JetStreamManager, StreamConfig, StreamInfo } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import {
  jetStreamApi,
  logStream,
  logStreamNumber,
  mirrorConsumer,
  mirrorDeliverSubject,
} from '../../../shared/nats-server/names.ts';
import { subjects } from '../../../shared/subjects.ts';
import { chainOf } from '../log/record.ts';
import { findLogStreams, findStream, giveUp, readLastMessage } from '../log/stream.ts';
import type { Point } from './protocol.ts';

/** A mirror that heard nothing from its origin for this long, in nanoseconds, is not active. */
const mirrorSilenceMaxNs = 2e9;
/** A new copy that NATS does not set up for this long, in milliseconds, though the leader answers, is begun anew: it waits minutes after a cut. */
const idleCopyMs = 5_000;
/** A mirror that is behind and gets nothing for this long, in milliseconds, has lost its place. */
const stuckAfterMs = 3_000;
/** Where a mirror's id stands among its stream's metadata. */
const idKey = 'twonode-mirror';

export interface MirrorsOptions {
  manager: JetStreamManager;
  self: string;
  peer: string;
  logger: Logger;
}

/**
 * This node's copies of the leader's log: the one that is served, and beside it a new one while that is being made. The old one
 * is removed only when the new one is whole (invariant I6), so the one with the lowest number is always what counts.
 */
export class Mirrors {
  readonly #options: MirrorsOptions;
  #served: string;
  #copy: string | null;
  /** Of the next mirror that is made. */
  #newId = randomBytes(8).toString('hex');
  #attempt = 0;
  #standing = { last: 0, sinceMs: performance.now() };
  #activeMs = performance.now();

  private constructor(options: MirrorsOptions, served: string, copy: string | null) {
    this.#options = options;
    this.#served = served;
    this.#copy = copy;
  }

  /** Finds what this node has. */
  static async find(options: MirrorsOptions): Promise<Mirrors> {
    const [served = logStream(1), copy = null] = await findLogStreams(options.manager);
    return new Mirrors(options, served, copy);
  }

  /** The stream that counts; it may not exist yet. */
  get served(): string {
    return this.#served;
  }

  /** The new copy that is being made; null when none is. */
  get copy(): string | null {
    return this.#copy;
  }

  /** The stream that takes what the leader writes. */
  get current(): string {
    return this.#copy ?? this.#served;
  }

  /** Info of the stream that is served; null when there is none yet. */
  info(): Promise<StreamInfo | null> {
    return findStream(this.#options.manager, this.#served);
  }

  /** The first record that a copy holds, and the last one that it still has, whatever is folded of it. */
  async end(stream: string): Promise<Point & { first: number }> {
    const { manager } = this.#options;
    const first = (await findStream(manager, stream))?.state.first_seq || 1;
    const last = await readLastMessage(manager, stream, subjects.logRecords);
    return { sequence: last?.sequence ?? 0, chain: last ? chainOf(last.bytes) : 0, first };
  }

  /**
   * Names the mirror that takes what the leader writes, also one that is only to be made: for each name the leader makes the
   * consumer that feeds it once.
   */
  async id(): Promise<string> {
    const info = await findStream(this.#options.manager, this.current);
    return `${info?.config.metadata?.[idKey] ?? this.#newId}.${this.#attempt}`;
  }

  /** Asks for a consumer made anew: the mirror does not go on with the one that it has. */
  askAgain(): void {
    this.#attempt++;
  }

  /** Makes the mirror that takes what the leader writes, where there is none: when the leader has made its consumer. */
  async ensure(origin: string): Promise<void> {
    if (!(await findStream(this.#options.manager, this.current))) await this.#create(this.current, origin);
  }

  /** Whether the served copy follows that log: it may have been given up, or be the copy of another stream. */
  async isMirrorOf(origin: string): Promise<boolean> {
    const info = await this.info();
    return info === null || info.config.mirror?.name === origin;
  }

  /**
   * Whether records are missing, which are still needed, in the mirror that takes what the leader writes.
   * @param firstNeeded what is before it was cleaned away
   */
  async hasHole(firstNeeded: number): Promise<boolean> {
    const info = await findStream(this.#options.manager, this.current, { deleted_details: true });
    // A mirror that passed over all that there was holds no message, but has numbers for them.
    if (!info || info.state.last_seq === 0) return false;
    const { first_seq, deleted = [] } = info.state;
    return first_seq > firstNeeded || deleted.some((sequence) => sequence >= firstNeeded);
  }

  /**
   * Gives the served copy up, for a new one beside it: it follows no longer, since the leader feeds one mirror at a time. A
   * copy that was begun before is removed.
   */
  async beginCopy(): Promise<void> {
    const { manager, logger } = this.#options;
    if (this.#copy && (await findStream(manager, this.#copy))) await manager.streams.delete(this.#copy);
    if (await this.info()) await giveUp(manager, this.#served);
    this.#newId = randomBytes(8).toString('hex');
    this.#activeMs = performance.now();
    this.#copy = logStream((logStreamNumber(this.#served) ?? 0) + 1);
    logger.warn({ old: this.#served, copy: this.#copy }, 'the log is copied anew from the leader');
  }

  /** Whether the new copy stands still because NATS waits before it asks the leader's server again. */
  get isCopyIdle(): boolean {
    return this.#copy !== null && performance.now() - this.#activeMs > idleCopyMs;
  }

  /** The new copy is whole: it counts from now on, and the old one goes. */
  async finishCopy(): Promise<void> {
    const { manager, logger } = this.#options;
    const copy = this.#copy;
    if (!copy) return;
    if (await this.info()) await manager.streams.delete(this.#served);
    logger.info({ old: this.#served, copy }, 'the new copy is whole, the old one is removed');
    this.#served = copy;
    this.#copy = null;
  }

  /**
   * How the mirror goes on. `active`: the leader's log comes in; its lag reads 0 also while the link is down. `stuck`: the record
   * behind which it gets nothing for some seconds, though it is active and the leader holds more; else null.
   * `holes`: numbers without a record.
   * @param leaderSequence the newest record of the leader
   */
  async look(leaderSequence: number): Promise<{ active: boolean; stuck: number | null; holes: boolean }> {
    const info = await findStream(this.#options.manager, this.current);
    const silentNs = info?.mirror?.active ?? -1;
    const active = silentNs >= 0 && silentNs <= mirrorSilenceMaxNs;
    const last = info?.state.last_seq ?? 0;
    if (active || !this.#copy) this.#activeMs = performance.now();
    if (!active || last !== this.#standing.last || last >= leaderSequence) {
      this.#standing = { last, sinceMs: performance.now() };
    }
    const isStuck = performance.now() - this.#standing.sinceMs > stuckAfterMs;
    if (isStuck) this.#standing = { last, sinceMs: performance.now() };
    return { active, stuck: isStuck ? last : null, holes: (info?.state.num_deleted ?? 0) > 0 };
  }

  async #create(name: string, origin: string): Promise<void> {
    const { manager, self, peer } = this.#options;
    const config = {
      name,
      storage: 'file',
      mirror: {
        name: origin,
        external: { api: jetStreamApi(peer), deliver: '' },
        consumer: { name: mirrorConsumer(self), deliver_subject: mirrorDeliverSubject(self) },
      },
      mirror_direct: false,
      metadata: { [idKey]: this.#newId },
      allow_direct: true,
    };
    // The library's types do not know `mirror.consumer` yet.
    await manager.streams.add(config as unknown as StreamConfig);
  }
}
