import { encodeMessage, type Signal } from '../../shared/messages.ts';
import { subjects } from '../../shared/subjects.ts';
import type { Measured } from './board.ts';

/** Sends a message; false when the nats-server is away and it was not sent. */
export type Send = (subject: string, data: Uint8Array) => boolean;

/** The shortest time between two refreshes of the same signal, in milliseconds. */
const refreshInterval = 5_000;

/**
 * The shortest time between two refreshes of any signal. With the beat's one line a second this makes 2.5 lines a second
 * for a node, five for both, which a person who watches can follow. A node with more than seven checks refreshes each a
 * little less often than every 5 s, well within `ttl_ms`.
 */
export const refreshSpacing = 667;

/**
 * Publishes signals: at once when they change, and in turn, evenly spread, while nothing happens. Without a nats-server
 * nothing is kept for later: when it is back, what is true then is published.
 */
export class Publisher {
  readonly #send: Send;
  readonly #seq = new Map<string, number>();
  readonly #lastSentMs = new Map<string, number>();

  constructor(send: Send) {
    this.#send = send;
  }

  /** Publishes one signal now. @param nowMs monotonic clock */
  publish(signal: Measured, nowMs: number): void {
    const subject = subjectOf(signal);
    const numbered = this.numbered(signal);
    if (!this.#send(subject, encodeMessage(numbered))) return;
    this.#seq.set(subject, numbered.seq + 1);
    this.#lastSentMs.set(subject, nowMs);
  }

  /** Publishes the signal whose last message is oldest, if that is due. Call it every {@link refreshSpacing}. */
  refresh(signals: Measured[], nowMs: number): void {
    let oldest: Measured | undefined;
    let oldestMs = nowMs - refreshInterval;
    for (const signal of signals) {
      const subject = subjectOf(signal);
      const sentMs = this.#lastSentMs.get(subject) ?? Number.NEGATIVE_INFINITY;
      if (sentMs <= oldestMs) {
        oldest = signal;
        oldestMs = sentMs;
      }
    }
    if (oldest) this.publish(oldest, nowMs);
  }

  /** The signal with the number of its next message. */
  numbered(signal: Measured): Signal {
    return { ...signal, seq: this.#seq.get(subjectOf(signal)) ?? 0 };
  }
}

function subjectOf({ node, area, check }: Measured): string {
  return subjects.health(node, area, check);
}
