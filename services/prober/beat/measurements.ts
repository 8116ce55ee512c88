import type { Beat } from './wire.ts';

/** Beats of ours whose time of sending is kept, to measure the round trip when they are named as heard. */
const sentKept = 256;
/** Seconds over which loss is counted. */
const lossWindowSeconds = 10;
/** Round trips among which the shortest gives the clock offset: it has the least queueing in it. */
const offsetSamples = 40;
/** Weight of a new round trip in the average, as TCP has it (RFC 6298). */
const rttWeight = 1 / 8;

/** Loss, round trip and clock offset of the link, taken from the beats that pass anyway. No clock: times come in. */
export class Measurements {
  readonly #sentMs = new Array<{ seq: number; atMs: number } | undefined>(sentKept);
  readonly #seconds: { second: number; received: number; expected: number }[] = [];
  readonly #offsets: { rttMs: number; offsetMs: number }[] = [];
  #lastSeq: { run: string; seq: number } | null = null;
  #rttMs: number | null = null;

  /** Notes when a beat of ours was sent. */
  sent(seq: number, nowMs: number): void {
    this.#sentMs[seq % sentKept] = { seq, atMs: nowMs };
  }

  /**
   * Takes a beat of the peer.
   * @param ownRun the run whose beats we send
   * @param nowMs monotonic, in milliseconds
   * @param wallMs own wall clock, milliseconds since the Unix epoch
   */
  received({ pulse, word }: Beat, ownRun: string, nowMs: number, wallMs: number): void {
    this.#countLoss(word.run, pulse.seq, nowMs);
    if (word.heard_run !== ownRun) return;
    const sent = this.#sentMs[pulse.heardSeq % sentKept];
    if (sent?.seq !== pulse.heardSeq) return;
    const rttMs = Math.max(0, nowMs - sent.atMs - pulse.heardAgeMs);
    this.#rttMs = this.#rttMs === null ? rttMs : this.#rttMs + rttWeight * (rttMs - this.#rttMs);
    this.#offsets.push({ rttMs, offsetMs: pulse.sentMs + rttMs / 2 - wallMs });
    if (this.#offsets.length > offsetSamples) this.#offsets.shift();
  }

  /** Average round trip in milliseconds; null before the first. */
  get rttMs(): number | null {
    return this.#rttMs;
  }

  /** The peer's clock minus ours, in milliseconds; null when not measured. */
  get clockOffsetMs(): number | null {
    const best = this.#offsets.reduce<{ rttMs: number; offsetMs: number } | null>(
      (least, sample) => (least === null || sample.rttMs < least.rttMs ? sample : least),
      null,
    );
    return best === null ? null : Math.round(best.offsetMs);
  }

  /** Beats lost on the way to us within the last 10 s, from 0 to 1; null when none came. */
  lossRatio(nowMs: number): number | null {
    this.#forgetSeconds(nowMs);
    const received = this.#seconds.reduce((sum, second) => sum + second.received, 0);
    const expected = this.#seconds.reduce((sum, second) => sum + second.expected, 0);
    return expected === 0 ? null : Math.max(0, 1 - received / expected);
  }

  #countLoss(run: string, seq: number, nowMs: number): void {
    const last = this.#lastSeq;
    const expected = last?.run === run ? seq - last.seq : 1;
    this.#lastSeq = { run, seq };
    this.#forgetSeconds(nowMs);
    const second = Math.floor(nowMs / 1000);
    const current = this.#seconds.at(-1);
    if (current?.second === second) {
      current.received += 1;
      current.expected += expected;
    } else this.#seconds.push({ second, received: 1, expected });
  }

  #forgetSeconds(nowMs: number): void {
    const oldest = Math.floor(nowMs / 1000) - lossWindowSeconds;
    while ((this.#seconds[0]?.second ?? Number.POSITIVE_INFINITY) <= oldest) this.#seconds.shift();
  }
}
