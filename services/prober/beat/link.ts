import type { BeatValue } from '../../../shared/beat-value.ts';
import { failed, ok, unknown, type Verdict } from '../verdict.ts';
import { type Detector, type DetectorSettings, hear, listen, tick } from './detector.ts';
import { Measurements } from './measurements.ts';
import { type Accepted, admit } from './replay.ts';
import { type Beat, BeatDecoder, BeatEncoder } from './wire.ts';
import { composeWord, nothingToSay, type OwnWord, type Word, type WordIdentity } from './word.ts';

/** Who beats to whom, and how. */
export interface LinkIdentity extends WordIdentity {
  peer: string;
  secret: string;
  settings: DetectorSettings;
}

/** Both clocks, read together. */
export interface Instant {
  /** Monotonic, in milliseconds. */
  nowMs: number;
  /** Wall clock, milliseconds since the Unix epoch. */
  wallMs: number;
}

/** What the peer's last admitted beat said, and when it came. */
interface LastBeat {
  beat: Beat;
  atMs: number;
}

/** `peer-deaf`: its beats come, but it hears none of ours. */
export type OneWay = 'peer-deaf' | null;

/** What `eastwest.beat` carries: {@link BeatValue} and the link's own measurements. */
export interface LinkValue extends BeatValue {
  peer_api: string | null;
  one_way: OneWay;
  suspect: boolean;
  loss_percent: number | null;
  rtt_ms: number | null;
  /** Datagrams on the beat port that were no beats of the peer, since the start. */
  rejected: { malformed: number; forged: number; replayed: number };
}

/** A verdict differs from another in more than its measurements when one of these does. */
export interface LinkGist {
  phase: Detector['phase'];
  /** The peer's word: the same object as long as the peer says the same. */
  word: Word | null;
  oneWay: OneWay;
  /** Whether an announced restart is still under way. */
  restarting: boolean;
}

export interface LinkVerdict extends Verdict {
  value: LinkValue & Record<string, unknown>;
}

/** Time between two beats while the peer is suspect, in milliseconds. */
const urgentMs = 15;
/** How far back a beat of ours may lie for its answer to prove that the peer is alive now. */
const freshMs = 5_000;

/**
 * One side of the beat: what to send, and what is to be thought of the peer. It has no socket, no timer and no clock, so
 * that an hour of it can be simulated in a second.
 */
export class BeatLink {
  readonly #identity: LinkIdentity;
  readonly #measurements = new Measurements();
  readonly #rejected = { malformed: 0, forged: 0, replayed: 0 };
  readonly #encoder: BeatEncoder;
  readonly #decoder: BeatDecoder;
  #own: OwnWord = nothingToSay;
  /** What goes out, composed anew only when something of it changed. */
  #word: Word;
  #detector: Detector;
  #accepted: Accepted | null = null;
  #seq = 0;
  /** When the newest beat of ours was sent. */
  #sentMs = Number.NEGATIVE_INFINITY;
  /** The newest genuine beat, admitted or not: naming it is what lets the peer admit ours. */
  #echo: { run: string; seq: number; atMs: number } | null = null;
  #last: LastBeat | null = null;
  /** Since when, and until when, genuine beats came that name none of ours as heard. */
  #unconfirmed: { sinceMs: number; lastMs: number } | null = null;

  /** @param resumed whether the peer was up when this prober stopped, a moment ago within the same boot */
  constructor(identity: LinkIdentity, nowMs: number, resumed: boolean) {
    this.#identity = identity;
    this.#encoder = new BeatEncoder(identity.secret);
    this.#decoder = new BeatDecoder(identity.secret);
    this.#detector = listen(nowMs, resumed);
    this.#word = this.#compose();
  }

  say(own: OwnWord): void {
    this.#own = own;
    this.#word = this.#compose();
  }

  /** The next datagram to send. */
  next({ nowMs, wallMs }: Instant): Buffer {
    this.#seq += 1;
    this.#sentMs = nowMs;
    this.#measurements.sent(this.#seq, nowMs);
    const echo = this.#echo;
    const heardAgeMs = echo === null ? 0 : Math.max(0, nowMs - echo.atMs);
    const pulse = { seq: this.#seq, sentMs: wallMs, heardSeq: echo?.seq ?? 0, heardAgeMs };
    return this.#encoder.encode(pulse, this.#word);
  }

  /** Milliseconds from this beat to the next. A peer that is suspect is asked often: each of these beats is answered. */
  get pace(): number {
    const { interval } = this.#identity.settings;
    return this.#detector.suspect ? Math.min(urgentMs, interval) : interval;
  }

  /**
   * Whether the beat that has just come is answered at once. One whose sender has not heard us for long is. Else it takes ours
   * along when that is due within half an interval: so both nodes keep one rhythm and are woken once for each interval and
   * not twice; ours never comes later for it.
   */
  answers(nowMs: number): boolean {
    const { run, settings } = this.#identity;
    const { pulse, word } = this.#last?.beat ?? {};
    const asks = word?.heard_run === run && pulse !== undefined && pulse.heardAgeMs >= settings.suspectAfter;
    // A little less than the time between two such beats, which do not come evenly.
    const gapMs = asks ? Math.min(urgentMs, settings.interval) * 0.6 : settings.interval / 2;
    return nowMs - this.#sentMs >= gapMs;
  }

  /**
   * Takes a datagram that came in, whatever it is.
   * @returns whether it was a new beat of the peer
   */
  receive(datagram: Buffer, instant: Instant): boolean {
    const { peer, run, settings } = this.#identity;
    const { nowMs, wallMs } = instant;
    const decoded = this.#decoder.decode(datagram);
    if (!decoded.ok) {
      this.#rejected[decoded.error] += 1;
      return false;
    }
    const { beat } = decoded;
    if (beat.word.node !== peer) return false;
    const oldestFresh = Math.max(1, this.#seq - Math.ceil(freshMs / settings.interval));
    const admission = admit(this.#accepted, { run, oldestFresh, newest: this.#seq }, beat);
    if (!admission.admitted && admission.why !== 'unconfirmed') {
      this.#rejected.replayed += 1;
      return false;
    }
    this.#hearRun(beat, nowMs);
    if (!admission.admitted) {
      this.#unconfirmed = { sinceMs: this.#unconfirmed?.sinceMs ?? nowMs, lastMs: nowMs };
      return false;
    }
    this.#unconfirmed = null;
    this.#accepted = admission.accepted;
    this.#last = { beat, atMs: nowMs };
    this.#measurements.received(beat, run, nowMs, wallMs);
    this.#detector = hear(this.#detector, settings, nowMs);
    return true;
  }

  #compose(): Word {
    return composeWord(this.#identity, this.#own, this.#echo?.run ?? null);
  }

  /** The newest beat of the peer, to be named in ours. */
  #hearRun({ pulse, word }: Beat, nowMs: number): void {
    const known = this.#echo?.run === word.run;
    this.#echo = { run: word.run, seq: pulse.seq, atMs: nowMs };
    if (!known) this.#word = this.#compose();
  }

  /** Judges the silence; to be called with each beat. */
  tick(nowMs: number): void {
    this.#detector = tick(this.#detector, this.#identity.settings, nowMs);
  }

  /** What a reader of the verdict acts on, cheap enough to be looked at with each beat. */
  gist(nowMs: number): LinkGist {
    const word = this.#last?.beat.word ?? null;
    return {
      phase: this.#detector.phase,
      word,
      oneWay: this.#oneWay(nowMs),
      restarting:
        this.#last !== null && remaining(word?.restarting_ms ?? null, nowMs - this.#last.atMs) !== null,
    };
  }

  /** What is to be thought of the peer now. */
  verdict(nowMs: number): LinkVerdict {
    const { peer } = this.#identity;
    const value = { ...this.#value(nowMs) };
    switch (this.#detector.phase) {
      case 'listening':
        return { ...unknown(`listening for ${peer}`), value };
      case 'up':
        return { ...ok(), reason: value.one_way ? `${peer} does not hear this node` : '', value };
      case 'down': {
        const text = value.one_way ? `${peer} is heard, but does not hear this node` : `no beat of ${peer}`;
        return { ...failed(text), value };
      }
    }
  }

  #value(nowMs: number): LinkValue {
    const { configDigest } = this.#identity;
    const word = this.#last?.beat.word;
    const ageMs = this.#last ? nowMs - this.#last.atMs : 0;
    const down = this.#detector.phase === 'down';
    const loss = down ? 1 : this.#measurements.lossRatio(nowMs);
    const rtt = this.#measurements.rttMs;
    return {
      peer_state: word?.state ?? null,
      peer_reason: word?.state_reason ?? null,
      peer_state_age_ms: Math.round(stateAgeMs(this.#last?.beat) + ageMs),
      peer_epoch: word?.epoch ?? 0,
      peer_boot_id: word?.boot_id ?? '',
      peer_api: word?.api ?? null,
      peer_leaving: word?.leaving ?? false,
      peer_restarting_ms: remaining(word?.restarting_ms ?? null, ageMs),
      clock_offset_ms: this.#measurements.clockOffsetMs,
      config_digest: configDigest,
      peer_config_digest: word?.config_digest ?? '',
      peer_role: word?.role ?? null,
      peer_cluster: word?.cluster ?? '',
      one_way: this.#oneWay(nowMs),
      suspect: this.#detector.suspect,
      loss_percent: loss === null ? null : Math.round(loss * 100),
      rtt_ms: rtt === null ? null : Math.round(rtt * 100) / 100,
      rejected: { ...this.#rejected },
    };
  }

  #oneWay(nowMs: number): OneWay {
    const { run, settings } = this.#identity;
    const { suspectAfter, downAfter } = settings;
    if (this.#last && nowMs - this.#last.atMs < downAfter) {
      const { pulse, word } = this.#last.beat;
      return word.heard_run !== run || pulse.heardAgeMs >= downAfter ? 'peer-deaf' : null;
    }
    // A prober that has just started is confirmed one round trip later: that is no one-way link yet.
    const unconfirmed = this.#unconfirmed;
    if (!unconfirmed || nowMs - unconfirmed.lastMs >= downAfter) return null;
    return unconfirmed.lastMs - unconfirmed.sinceMs >= suspectAfter ? 'peer-deaf' : null;
  }
}

/** How long the peer had been in its state when it sent this, by its own clock. */
function stateAgeMs(beat: Beat | undefined): number {
  if (!beat || beat.word.state === null) return 0;
  return Math.max(0, beat.pulse.sentMs - beat.word.state_since_ms);
}

/** What is left of an announced restart; null when none was announced or its time is over. */
function remaining(announcedMs: number | null, ageMs: number): number | null {
  if (announcedMs === null || ageMs >= announcedMs) return null;
  return Math.round(announcedMs - ageMs);
}
