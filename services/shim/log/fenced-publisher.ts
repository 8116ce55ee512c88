import {
  createInbox,
  Events,
  headers,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  type Subscription,
} from 'nats';
import { z } from 'zod';
import type { Logger } from '../../../shared/logger.ts';
import { jetStreamError, readMessage } from './stream.ts';

/** The store took nothing of the record: it is full. Nothing was written. */
export class StoreFullError extends Error {
  override name = 'StoreFullError';
}

/** Another writer has written to this log. This one must stop. */
export class FencedError extends Error {
  override name = 'FencedError';
}

const ackSchema = z.object({
  seq: z.number().optional(),
  error: z
    .object({ code: z.number(), err_code: z.number().optional(), description: z.string().optional() })
    .optional(),
});

/** How long to wait for an acknowledgement before the record is published once more, in milliseconds. */
const ackTimeoutMs = 2_000;

/**
 * Publishes records one at a time, each fenced with the sequence it must follow (`Nats-Expected-Last-Sequence`).
 *
 * An outcome that is not known is made known by publishing the very same record again: the fence lets only one of the
 * two in, and whoever finds the place taken reads it back and compares. So a caller gets an answer or waits.
 */
export class FencedPublisher {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #stream: string;
  readonly #subject: string;
  readonly #logger: Logger;
  readonly #inbox = createInbox('twonode.inbox');
  #attempt = 0;
  #waiting: { token: string; resolve: (message: Msg | null) => void } | null = null;
  #stopped = false;
  readonly #subscription: Subscription;

  constructor(options: {
    connection: NatsConnection;
    manager: JetStreamManager;
    stream: string;
    subject: string;
    logger: Logger;
  }) {
    this.#connection = options.connection;
    this.#manager = options.manager;
    this.#stream = options.stream;
    this.#subject = options.subject;
    this.#logger = options.logger;
    this.#subscription = this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (_error, message) => {
        if (message.subject.endsWith(`.${this.#waiting?.token}`)) this.#waiting?.resolve(message);
      },
    });
    void this.#askAgainOnReconnect();
  }

  /** Gives up waiting: {@link publish} rejects with {@link FencedError}. */
  stop(): void {
    this.#stopped = true;
    this.#subscription.unsubscribe();
    this.#waiting?.resolve(null);
  }

  /** A server that is back has forgotten whom it owes an acknowledgement. */
  async #askAgainOnReconnect(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (this.#stopped) return;
      if (status.type === Events.Reconnect) this.#waiting?.resolve(null);
    }
  }

  /**
   * Publishes a record behind `lastSequence` and returns its sequence.
   * @throws StoreFullError nothing was written
   * @throws FencedError another record stands there
   */
  async publish(record: Buffer, lastSequence: number): Promise<number> {
    for (let attempt = 1; !this.#stopped; attempt++) {
      const answer = await this.#publishOnce(record, lastSequence);
      if (answer === null) {
        if (attempt > 1)
          this.#logger.warn(
            { attempt, sequence: lastSequence + 1 },
            'no acknowledgement from JetStream, asking again',
          );
        continue;
      }
      if (answer.seq !== undefined && !answer.error) return answer.seq;
      const code = answer.error?.err_code;
      if (code === jetStreamError.storeFailed || code === jetStreamError.insufficientResources) {
        throw new StoreFullError(answer.error?.description ?? 'the store is full');
      }
      if (code === jetStreamError.wrongLastSequence || code === jetStreamError.wrongLastSequenceConstant) {
        const there = await readMessage(this.#manager, this.#stream, lastSequence + 1);
        if (there?.equals(record)) return lastSequence + 1;
        throw new FencedError(`another writer has written record ${lastSequence + 1} of ${this.#stream}`);
      }
      this.#logger.warn({ error: answer.error }, 'JetStream refused a record, asking again');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new FencedError('the writer was stopped');
  }

  async #publishOnce(record: Buffer, lastSequence: number): Promise<z.infer<typeof ackSchema> | null> {
    const token = String(++this.#attempt);
    const fence = headers();
    fence.set('Nats-Expected-Last-Sequence', String(lastSequence));
    const message = await new Promise<Msg | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), ackTimeoutMs);
      this.#waiting = {
        token,
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
      };
      this.#connection.publish(this.#subject, record, { reply: `${this.#inbox}.${token}`, headers: fence });
    });
    this.#waiting = null;
    if (message === null || message.data.length === 0) {
      // An empty answer says that nobody listens: JetStream is not up yet.
      if (message) await new Promise((resolve) => setTimeout(resolve, 100));
      return null;
    }
    return ackSchema.parse(message.json());
  }
}
