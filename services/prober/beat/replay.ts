import type { Beat } from './wire.ts';

/** Which beats were accepted so far. */
export interface Accepted {
  bootId: string;
  run: string;
  /** Highest sequence of this run. */
  seq: number;
}

/** What this prober has sent itself: a beat that answers it cannot be an old one. */
export interface Sent {
  run: string;
  /** Sequence of the oldest beat whose answer still counts as fresh, and of the newest. */
  oldestFresh: number;
  newest: number;
}

export type Admission =
  | { admitted: true; accepted: Accepted }
  | { admitted: false; why: 'replayed' | 'unconfirmed' };

/**
 * Decides whether a genuine beat is also a new one.
 *
 * Within a run of the peer's prober the sequence must rise. The first beat of another run must name a recent beat of ours
 * as the last that it heard: no recording can know the id of our run. So a new run is admitted one round trip after it
 * began; one that never hears us is `unconfirmed`.
 */
export function admit(accepted: Accepted | null, sent: Sent, { pulse, word }: Beat): Admission {
  const next = { bootId: word.boot_id, run: word.run, seq: pulse.seq };
  if (accepted && accepted.run === word.run && accepted.bootId === word.boot_id) {
    return pulse.seq > accepted.seq
      ? { admitted: true, accepted: next }
      : { admitted: false, why: 'replayed' };
  }
  const { heardSeq } = pulse;
  const fresh = word.heard_run === sent.run && heardSeq >= sent.oldestFresh && heardSeq <= sent.newest;
  return fresh ? { admitted: true, accepted: next } : { admitted: false, why: 'unconfirmed' };
}
