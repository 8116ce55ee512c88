import type { Appointment } from '../clock/scheduler.ts';
import { sequencesOf } from './consumer.ts';
import type { Envelope } from './message.ts';
import type { MirrorConfig, SimulatedStream, StoredMessage } from './stream.ts';

/** nats-server's own times (server/stream.go): requests for a consumer, waiting for the answer, health checks. */
const requestSpacingMs = 2_000;
const resetTimeoutMs = 5_000;
const healthCheckMs = 10_000;
const backoffStepMs = 5_000;
const backoffMaxMs = 120_000;

export interface MirrorWorld {
  after: (delayMs: number, run: () => void) => Appointment;
  nowMs: () => number;
  random: () => number;
  /** Asks the origin to reset the consumer; the answer tells what it has delivered, null that there is no such consumer. */
  requestReset: (config: MirrorConfig, answer: (delivered: number | null) => void) => void;
  /** Tells the consumer up to where everything is stored. */
  acknowledge: (config: MirrorConfig, sequence: number) => void;
}

/**
 * The mirroring side of nats-server 2.15.2 (server/stream.go: setupMirrorConsumer, processInboundMirrorMsg), with its
 * known traps: it knows its place by sequences alone, ignores in silence what it has by number, and takes a jump in the
 * stream's sequences for messages that the origin deleted when the deliveries are counted without one.
 */
export class SimulatedMirror {
  readonly config: MirrorConfig;
  readonly #stream: SimulatedStream;
  readonly #world: MirrorWorld;
  #sequence: number;
  #deliverSequence = 0;
  #subscribed = false;
  /** After a reset that was not answered it listens whether the consumer lives. */
  #probing = false;
  #setupInProgress = false;
  #setupTimer: Appointment | null = null;
  #lastRequestMs = Number.NEGATIVE_INFINITY;
  #lastHeardMs = 0;
  #failures = 0;
  #request = 0;
  #stopped = false;

  constructor(config: MirrorConfig, stream: SimulatedStream, world: MirrorWorld) {
    this.config = config;
    this.#stream = stream;
    this.#world = world;
    this.#sequence = stream.lastSequence;
    this.#setUp();
    this.#checkHealth();
  }

  /** `mirror.active` of the stream's info, in nanoseconds; -1 while it has no consumer. */
  get activeNs(): number {
    return this.#subscribed ? Math.round((this.#world.nowMs() - this.#lastHeardMs) * 1e6) : -1;
  }

  get hasInterest(): boolean {
    return !this.#stopped && (this.#subscribed || this.#probing);
  }

  stop(): void {
    this.#stopped = true;
    this.#setupTimer?.cancel();
  }

  #setUp(): void {
    if (this.#stopped) return;
    this.#subscribed = false;
    this.#probing = false;
    this.#sequence = this.#stream.lastSequence;
    const now = this.#world.nowMs();
    if (now - this.#lastRequestMs < requestSpacingMs || this.#setupInProgress) {
      this.#scheduleSetup();
      return;
    }
    this.#lastRequestMs = now;
    this.#setupInProgress = true;
    const request = ++this.#request;
    this.#world.after(resetTimeoutMs, () => this.#answered(request, undefined));
    this.#world.requestReset(this.config, (delivered) => this.#answered(request, delivered));
  }

  /** @param delivered null: refused; undefined: no answer in time */
  #answered(request: number, delivered: number | null | undefined): void {
    if (this.#stopped || request !== this.#request || !this.#setupInProgress) return;
    this.#setupInProgress = false;
    if (typeof delivered !== 'number') {
      this.#failures++;
      this.#scheduleSetup();
      this.#probing = delivered === undefined;
      return;
    }
    this.#failures = 0;
    if (this.#stream.lastSequence < delivered) this.#stream.skipTo(delivered);
    this.#deliverSequence = 0;
    this.#sequence = Math.max(delivered, this.#stream.lastSequence);
    this.#subscribed = true;
    this.#lastHeardMs = this.#world.nowMs();
  }

  #scheduleSetup(): void {
    const spacing = Math.max(requestSpacingMs - (this.#world.nowMs() - this.#lastRequestMs), 0);
    const backoff = Math.min(backoffStepMs * this.#failures * 2, backoffMaxMs);
    const jitter = 100 + this.#world.random() * 100;
    this.#setupTimer?.cancel();
    this.#setupTimer = this.#world.after(spacing + backoff + jitter, () => {
      this.#setupTimer = null;
      this.#setUp();
    });
  }

  #checkHealth(): void {
    this.#world.after(healthCheckMs, () => {
      if (this.#stopped) return;
      if (this.#subscribed && this.#world.nowMs() - this.#lastHeardMs > healthCheckMs) this.#setUp();
      this.#checkHealth();
    });
  }

  /** Takes a delivery of the consumer, which is on disk by now. */
  receive(delivery: Envelope): void {
    if (this.#stopped) return;
    if (this.#probing) {
      if (this.#setupInProgress || this.#failures === 0) return;
      this.#failures = 0;
      this.#scheduleSetup();
      return;
    }
    if (!this.#subscribed) return;
    this.#lastHeardMs = this.#world.nowMs();
    if (delivery.headers?.code === 100) this.#heartbeat(delivery);
    else this.#store(delivery);
  }

  #heartbeat({ headers, reply }: Envelope): void {
    const last = Number(headers?.get('Nats-Last-Consumer') || 0);
    if (last > 0 && last !== this.#deliverSequence) this.#setUp();
    else if (reply) this.#world.acknowledge(this.config, this.#sequence);
  }

  #store({ reply, data, subject }: Envelope): void {
    const { sequence, deliverSequence } = sequencesOf(reply);
    const isNext = deliverSequence === this.#deliverSequence + 1;
    if (sequence <= this.#sequence) {
      // What it has by number it ignores, whatever it holds.
      if (isNext) this.#deliverSequence++;
      return;
    }
    if (sequence !== this.#sequence + 1) {
      if (!isNext) {
        this.#setUp();
        return;
      }
      this.#stream.skipTo(sequence - 1);
    }
    this.#deliverSequence = deliverSequence;
    this.#sequence = sequence;
    const timeMs = Number(reply.split('.')[7]);
    const message: StoredMessage = { sequence, subject, data: Buffer.from(data), timeMs };
    this.#stream.append(message);
  }
}
