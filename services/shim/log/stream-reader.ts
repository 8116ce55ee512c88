import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  nanos,
  ReplayPolicy,
  type Subscription,
} from 'nats';
import type { Logger } from '../../../shared/logger.ts';

/** Without a message or a heartbeat for this long, in milliseconds, the consumer is made anew. */
const silenceMaxMs = 2_500;
const heartbeatMs = 1_000;
/**
 * Messages are handed over for this long, in milliseconds, before the event loop gets its turn. The server's pings come behind the
 * messages that are on their way: unless the socket is read meanwhile, it cuts a reader off that has much to do.
 */
const sliceMs = 10;

export interface StreamReaderOptions {
  connection: NatsConnection;
  manager: JetStreamManager;
  stream: string;
  /** The first sequence to deliver. */
  from: number;
  logger: Logger;
  /** Called for each message in order of sequence. What it throws ends the reading and goes to `onError`. */
  onMessage: (sequence: number, data: Buffer) => void;
  onError: (error: Error) => void;
}

/**
 * Reads a stream in order, from a sequence on, and goes on with what comes. It is an ordered push consumer which comes
 * back in seconds after cuts and restarts: the library's own waits for its idle heartbeat of 30 s.
 */
export class StreamReader {
  readonly #options: StreamReaderOptions;
  #next: number;
  #deliverSequence = 0;
  #subscription: Subscription | null = null;
  #consumer: string | null = null;
  #lastHeardMs = performance.now();
  #creating = false;
  #stopped = false;
  /** What came and is not handed over yet. The server's flow control bounds it: its requests wait here in their order. */
  #queue: Msg[] = [];
  /** When this turn of the event loop began to hand over; null before it did. */
  #turnBeganMs: number | null = null;
  readonly #watchdog: NodeJS.Timeout;

  constructor(options: StreamReaderOptions) {
    this.#options = options;
    this.#next = options.from;
    this.#watchdog = setInterval(() => {
      if (performance.now() - this.#lastHeardMs > silenceMaxMs) void this.#create();
    }, heartbeatMs / 2);
    void this.#create();
    void this.#recreateOnReconnect();
  }

  /** The sequence that comes next. */
  get next(): number {
    return this.#next;
  }

  stop(): void {
    this.#stopped = true;
    this.#queue = [];
    clearInterval(this.#watchdog);
    this.#subscription?.unsubscribe();
    void this.#deleteConsumer();
  }

  async #recreateOnReconnect(): Promise<void> {
    for await (const status of this.#options.connection.status()) {
      if (this.#stopped) return;
      if (status.type === 'reconnect') void this.#create();
    }
  }

  async #create(): Promise<void> {
    if (this.#stopped || this.#creating) return;
    this.#creating = true;
    const { connection, manager, stream, logger } = this.#options;
    try {
      this.#subscription?.unsubscribe();
      void this.#deleteConsumer();
      this.#queue = [];
      this.#deliverSequence = 0;
      this.#lastHeardMs = performance.now();
      const inbox = createInbox('twonode.inbox');
      const subscription = connection.subscribe(inbox, {
        callback: (_error, message) => {
          if (subscription !== this.#subscription) return;
          this.#lastHeardMs = performance.now();
          this.#queue.push(message);
          this.#takeQueued();
        },
      });
      this.#subscription = subscription;
      const info = await manager.consumers.add(stream, {
        deliver_subject: inbox,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(this.#next, 1),
        ack_policy: AckPolicy.None,
        replay_policy: ReplayPolicy.Instant,
        flow_control: true,
        idle_heartbeat: nanos(heartbeatMs),
        inactive_threshold: nanos(10_000),
        mem_storage: true,
        num_replicas: 1,
        max_deliver: 1,
      });
      this.#consumer = info.name;
      if (this.#stopped) this.stop();
    } catch (error) {
      logger.debug({ err: error, stream }, 'cannot read the stream yet');
    } finally {
      this.#creating = false;
    }
  }

  async #deleteConsumer(): Promise<void> {
    const name = this.#consumer;
    this.#consumer = null;
    // Best effort: an unreachable server removes it by its inactive threshold.
    if (name) await this.#options.manager.consumers.delete(this.#options.stream, name).catch(() => undefined);
  }

  /** Takes what is queued, until this turn of the event loop has had its time; the rest in the next ones. */
  #takeQueued(): void {
    this.#turnBeganMs ??= this.#beginTurn();
    const endMs = this.#turnBeganMs + sliceMs;
    const queue = this.#queue;
    let taken = 0;
    for (const message of queue) {
      // A reader that stops or begins anew has another queue.
      if (queue !== this.#queue || performance.now() >= endMs) break;
      taken++;
      this.#take(message);
    }
    queue.splice(0, taken);
  }

  #beginTurn(): number {
    setImmediate(() => {
      this.#turnBeganMs = null;
      if (this.#queue.length > 0) this.#takeQueued();
    });
    return performance.now();
  }

  #take(message: Msg): void {
    if (message.data.length === 0 && message.headers?.code === 100) {
      // Flow control asks for an answer; a heartbeat does not, but may tell of messages that were lost.
      if (message.reply) message.respond();
      const last = Number(message.headers.get('Nats-Last-Consumer') || this.#deliverSequence);
      if (last > this.#deliverSequence) void this.#create();
      return;
    }
    const [sequence, deliverSequence] = sequencesOf(message.reply ?? '');
    if (deliverSequence !== this.#deliverSequence + 1) {
      void this.#create();
      return;
    }
    this.#deliverSequence = deliverSequence;
    this.#next = sequence + 1;
    try {
      this.#options.onMessage(
        sequence,
        Buffer.from(message.data.buffer, message.data.byteOffset, message.data.length),
      );
    } catch (error) {
      this.stop();
      this.#options.onError(error as Error);
    }
  }
}

/** Stream and consumer sequence from the reply subject: `$JS.ACK.<domain>.<account>.<stream>.<consumer>.<n>.<sseq>.<cseq>.<time>.<pending>[.<token>]`. */
function sequencesOf(reply: string): [stream: number, consumer: number] {
  const parts = reply.split('.');
  const at = parts.length === 9 ? 5 : 7;
  return [Number(parts[at]), Number(parts[at + 1])];
}

/**
 * Reads everything that a stream holds now, in order, and then stops.
 * @param last the sequence to read up to
 * @throws Error what `onMessage` throws, or when nothing comes for `limitMs`
 */
export function readStream(
  options: Omit<StreamReaderOptions, 'onError'> & { last: number; limitMs: number },
): Promise<void> {
  if (options.from > options.last) return Promise.resolve();
  return new Promise((resolve, reject) => {
    let progressMs = performance.now();
    const end = (error?: Error) => {
      clearInterval(timer);
      reader.stop();
      if (error) reject(error);
      else resolve();
    };
    const timer = setInterval(() => {
      if (performance.now() - progressMs > options.limitMs) {
        end(new Error(`${options.stream}: nothing came for ${options.limitMs} ms at record ${reader.next}`));
      }
    }, 500);
    const reader: StreamReader = new StreamReader({
      ...options,
      onMessage: (sequence, data) => {
        progressMs = performance.now();
        options.onMessage(sequence, data);
        if (sequence >= options.last) end();
      },
      onError: end,
    });
  });
}
