import { headers } from 'nats';
import type { Appointment } from '../clock/scheduler.ts';
import { type Envelope, envelope } from './message.ts';
import type { SimulatedStream, StoredMessage } from './stream.ts';

export interface ConsumerConfig {
  name?: string;
  durable_name?: string;
  deliver_subject: string;
  deliver_policy: string;
  opt_start_seq?: number;
  ack_policy: string;
}

/** nats-server sends heartbeats of all our consumers every second. */
const heartbeatMs = 1_000;

export interface ConsumerWorld {
  after: (delayMs: number, run: () => void) => Appointment;
  /** Sends a delivery. */
  deliver: (envelope: Envelope) => void;
  /** Whether anybody listens on its deliver subject. */
  hasInterest: (subject: string) => boolean;
}

/** A push consumer as nats-server has it: it delivers while there is interest, and counts its deliveries. */
export class SimulatedConsumer {
  readonly name: string;
  readonly config: ConsumerConfig;
  readonly #stream: SimulatedStream;
  readonly #world: ConsumerWorld;
  #next: number;
  #deliverSequence = 0;
  /** Stream sequence up to which everything is acknowledged: where a reset goes back to. */
  ackFloor: number;
  #heartbeat: Appointment | null = null;
  readonly #onStored = () => this.pump();
  #closed = false;

  constructor(name: string, config: ConsumerConfig, stream: SimulatedStream, world: ConsumerWorld) {
    this.name = name;
    this.config = config;
    this.#stream = stream;
    this.#world = world;
    this.#next = config.deliver_policy === 'all' ? stream.firstSequence : (config.opt_start_seq ?? 1);
    this.ackFloor = this.#next - 1;
  }

  /** Begins to deliver: made now, or its server is up again. */
  start(): void {
    this.#closed = false;
    this.#stream.onStored.add(this.#onStored);
    this.#world.after(0, () => this.pump());
    this.#beat();
  }

  /** Its server is down. A durable one goes on from what was acknowledged. */
  stop(): void {
    this.#closed = true;
    this.#stream.onStored.delete(this.#onStored);
    this.#heartbeat?.cancel();
    this.#next = this.ackFloor + 1;
    this.#deliverSequence = 0;
  }

  /** What its server knew of it when its disk was copied. */
  goBackTo(ackFloor: number): void {
    this.ackFloor = ackFloor;
    this.#next = ackFloor + 1;
  }

  /** `CONSUMER.RESET`: goes back to what was acknowledged. @returns the sequence before the next one */
  reset(): number {
    this.#next = this.ackFloor + 1;
    this.#deliverSequence = 0;
    this.#world.after(0, () => this.pump());
    return this.ackFloor;
  }

  /** Delivers what there is. */
  pump(): void {
    if (this.#closed || !this.#world.hasInterest(this.config.deliver_subject)) return;
    while (this.#next <= this.#stream.lastSequence) {
      const message = this.#stream.messages.get(this.#next);
      this.#next++;
      if (message) this.#deliver(message);
    }
  }

  #deliver({ sequence, data, timeMs }: StoredMessage): void {
    this.#deliverSequence++;
    const pending = this.#stream.lastSequence - sequence;
    const place = `${this.#stream.config.name}.${this.name}.1.${sequence}.${this.#deliverSequence}`;
    const reply = `$JS.ACK.${place}.${timeMs}.${pending}`;
    this.#world.deliver(envelope(this.config.deliver_subject, data, reply));
  }

  #beat(): void {
    this.#heartbeat = this.#world.after(heartbeatMs, () => {
      this.#beat();
      if (!this.#world.hasInterest(this.config.deliver_subject)) return;
      this.pump();
      const heartbeat = headers(100, 'Idle Heartbeat');
      heartbeat.set('Nats-Last-Consumer', String(this.#deliverSequence));
      heartbeat.set('Nats-Last-Stream', String(this.#next - 1));
      // The name stands for the flow control's subject, on which the other side says how far it is.
      const reply = this.config.ack_policy === 'flow_control' ? `$JS.FC.${this.name}` : '';
      this.#world.deliver(envelope(this.config.deliver_subject, '', reply, heartbeat));
    });
  }
}

/** Stream and consumer sequence of a delivery. */
export function sequencesOf(reply: string): { sequence: number; deliverSequence: number } {
  const parts = reply.split('.');
  return { sequence: Number(parts[5]), deliverSequence: Number(parts[6]) };
}
