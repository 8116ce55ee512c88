import type { MsgHdrs } from 'nats';
import { jetStreamError } from '../../../services/shim/log/stream.ts';

/** What of a stream's configuration matters here. */
export interface StreamConfig {
  name: string;
  subjects?: string[];
  max_bytes?: number;
  first_seq?: number;
  metadata?: Record<string, string>;
  mirror?: MirrorConfig;
}

export interface MirrorConfig {
  name: string;
  external: { api: string; deliver: string };
  consumer?: { name: string; deliver_subject: string };
}

export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly data: Buffer;
  readonly timeMs: number;
}

/** An error as JetStream answers it. */
export class ApiFault extends Error {
  readonly errCode: number;
  readonly code: number;

  constructor(errCode: number, text: string, code = 400) {
    super(text);
    this.errCode = errCode;
    this.code = code;
  }
}

/** What nats-server adds to each message on disk, in bytes. */
const overheadBytes = 30;

/** A file stream: what is in here is on disk (`sync_interval: always`). */
export class SimulatedStream {
  readonly config: StreamConfig;
  readonly createdMs: number;
  readonly messages = new Map<number, StoredMessage>();
  firstSequence = 1;
  lastSequence = 0;
  bytes = 0;
  /** Called after each message that is stored. */
  readonly onStored = new Set<(message: StoredMessage) => void>();

  constructor(config: StreamConfig, createdMs: number) {
    this.config = config;
    this.createdMs = createdMs;
    this.firstSequence = config.first_seq ?? 1;
    this.lastSequence = this.firstSequence - 1;
  }

  /**
   * Stores a message that a client publishes, behind the sequence that it expects.
   * @throws ApiFault nothing was stored
   */
  publish(subject: string, data: Buffer, headers: MsgHdrs | undefined, timeMs: number): number {
    const expected = headers?.get('Nats-Expected-Last-Sequence');
    if (expected && Number(expected) !== this.lastSequence) {
      throw new ApiFault(jetStreamError.wrongLastSequence, `wrong last sequence: ${this.lastSequence}`);
    }
    const { max_bytes } = this.config;
    if (max_bytes && max_bytes > 0 && this.bytes + data.length + overheadBytes > max_bytes) {
      throw new ApiFault(jetStreamError.storeFailed, 'maximum bytes exceeded', 503);
    }
    this.append({ sequence: this.lastSequence + 1, subject, data, timeMs });
    return this.lastSequence;
  }

  /** Stores a message under its own sequence; what lies between the last one and it is a gap. */
  append(message: StoredMessage): void {
    if (this.messages.size === 0) this.firstSequence = message.sequence;
    this.messages.set(message.sequence, message);
    this.lastSequence = message.sequence;
    this.bytes += message.data.length + overheadBytes;
    for (const callback of this.onStored) callback(message);
  }

  /** Leaves sequences out, as a mirror does for what its origin no longer holds. */
  skipTo(sequence: number): void {
    this.lastSequence = Math.max(this.lastSequence, sequence);
    if (this.messages.size === 0) this.firstSequence = this.lastSequence + 1;
  }

  /** Removes everything before a sequence. */
  purge(sequence: number): void {
    const end = Math.min(sequence, this.lastSequence + 1);
    for (const [at, message] of this.messages) {
      if (at >= end) continue;
      this.bytes -= message.data.length + overheadBytes;
      this.messages.delete(at);
    }
    this.firstSequence = Math.max(this.firstSequence, end);
    while (this.firstSequence <= this.lastSequence && !this.messages.has(this.firstSequence))
      this.firstSequence++;
  }

  /** Loses everything behind a sequence: a disk that was rolled back, or a file system that lied about its syncs. */
  truncate(lastSequence: number): void {
    for (const [at, message] of this.messages) {
      if (at <= lastSequence) continue;
      this.bytes -= message.data.length + overheadBytes;
      this.messages.delete(at);
    }
    this.lastSequence = Math.min(this.lastSequence, lastSequence);
    if (this.messages.size === 0) this.firstSequence = this.lastSequence + 1;
  }

  /** The same records in a stream of its own. */
  copy(): SimulatedStream {
    const copy = new SimulatedStream({ ...this.config }, this.createdMs);
    for (const [sequence, message] of this.messages) copy.messages.set(sequence, message);
    copy.firstSequence = this.firstSequence;
    copy.lastSequence = this.lastSequence;
    copy.bytes = this.bytes;
    return copy;
  }

  state(withDeleted: boolean) {
    const missing = this.lastSequence - this.firstSequence + 1 - this.messages.size;
    const deleted: number[] = [];
    if (withDeleted && missing > 0) {
      for (let at = this.firstSequence; at <= this.lastSequence; at++)
        if (!this.messages.has(at)) deleted.push(at);
    }
    return {
      messages: this.messages.size,
      bytes: this.bytes,
      // A stream that never held anything says 0.
      first_seq: this.lastSequence === 0 ? 0 : this.firstSequence,
      last_seq: this.lastSequence,
      ...(missing > 0 ? { num_deleted: missing } : {}),
      ...(deleted.length > 0 ? { deleted } : {}),
    };
  }
}
