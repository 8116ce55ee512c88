import type { BeatValue } from '../../../shared/beat-value.ts';
import { failed, ok, unknown, type Verdict } from '../verdict.ts';
import { type Detector, type DetectorSettings, hear, listen, tick } from './detector.ts';
import { Measurements } from './measurements.ts';
import { type Accepted, admit } from './replay.ts';
import { type Beat, decodeBeat, encodeBeat } from './wire.ts';

/** Who beats to whom, and how. */
export interface LinkIdentity {
  self: string;
  peer: string;
  bootId: string;
  /** Random, new with each start of the prober. */
  run: string;
  secret: string;
  configDigest: string;
  settings: DetectorSettings;
}

/** What the node says of itself in its beats. */
export interface OwnWord {
  state: Beat['state'];
  stateReason: Beat['state_reason'];
  /** Wall clock at which the state began, milliseconds since the Unix epoch. */
  stateSinceMs: number;
  epoch: number;
  api: string | null;
  leaving: boolean;
  restartingMs: number | null;
}

export const nothingToSay: OwnWord = {
  state: null,
  stateReason: null,
  stateSinceMs: 0,
  epoch: 0,
  api: null,
  leaving: false,
  restartingMs: null,
};

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

export interface LinkVerdict extends Verdict {
  value: LinkValue & Record<string, unknown>;
}

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
  #word: OwnWord = nothingToSay;
  #detector: Detector;
  #accepted: Accepted | null = null;
  #seq = 0;
  /** The newest genuine beat, admitted or not: naming it is what lets the peer admit ours. */
  #echo: { run: string; seq: number; atMs: number } | null = null;
  #last: LastBeat | null = null;
  /** Since when, and until when, genuine beats came that name none of ours as heard. */
  #unconfirmed: { sinceMs: number; lastMs: number } | null = null;

  /** @param resumed whether the peer was up when this prober stopped, a moment ago within the same boot */
  constructor(identity: LinkIdentity, nowMs: number, resumed: boolean) {
    this.#identity = identity;
    this.#detector = listen(nowMs, resumed);
  }

  say(word: OwnWord): void {
    this.#word = word;
  }

  /** The next datagram to send. */
  next({ nowMs, wallMs }: Instant): Buffer {
    const { self, bootId, run, configDigest, secret } = this.#identity;
    const word = this.#word;
    this.#seq += 1;
    this.#measurements.sent(this.#seq, nowMs);
    const beat: Beat = {
      node: self,
      boot_id: bootId,
      run,
      seq: this.#seq,
      sent_ms: wallMs,
      state: word.state,
      state_reason: word.stateReason,
      state_age_ms: word.state === null ? 0 : Math.max(0, wallMs - word.stateSinceMs),
      epoch: word.epoch,
      config_digest: configDigest,
      api: word.api,
      leaving: word.leaving,
      restarting_ms: word.restartingMs,
      heard: this.#echo && {
        run: this.#echo.run,
        seq: this.#echo.seq,
        age_ms: Math.round((nowMs - this.#echo.atMs) * 1000) / 1000,
      },
    };
    return encodeBeat(beat, secret);
  }

  /** Takes a datagram that came in, whatever it is. */
  receive(datagram: Uint8Array, instant: Instant): void {
    const { secret, peer, run, settings } = this.#identity;
    const { nowMs, wallMs } = instant;
    const decoded = decodeBeat(datagram, secret);
    if (!decoded.ok) {
      this.#rejected[decoded.error] += 1;
      return;
    }
    const { beat } = decoded;
    if (beat.node !== peer) return;
    const oldestFresh = Math.max(1, this.#seq - Math.ceil(freshMs / settings.interval));
    const admission = admit(this.#accepted, { run, oldestFresh, newest: this.#seq }, beat);
    if (!admission.admitted && admission.why !== 'unconfirmed') {
      this.#rejected.replayed += 1;
      return;
    }
    this.#echo = { run: beat.run, seq: beat.seq, atMs: nowMs };
    if (!admission.admitted) {
      this.#unconfirmed = { sinceMs: this.#unconfirmed?.sinceMs ?? nowMs, lastMs: nowMs };
      return;
    }
    this.#unconfirmed = null;
    this.#accepted = admission.accepted;
    this.#last = { beat, atMs: nowMs };
    this.#measurements.received(beat, run, nowMs, wallMs);
    this.#detector = hear(this.#detector, settings, nowMs);
  }

  /** Judges the silence; to be called every interval. */
  tick(nowMs: number): void {
    this.#detector = tick(this.#detector, this.#identity.settings, nowMs);
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
    const beat = this.#last?.beat;
    const ageMs = this.#last ? nowMs - this.#last.atMs : 0;
    const down = this.#detector.phase === 'down';
    const loss = down ? 1 : this.#measurements.lossRatio(nowMs);
    const rtt = this.#measurements.rttMs;
    return {
      peer_state: beat?.state ?? null,
      peer_reason: beat?.state_reason ?? null,
      peer_state_age_ms: Math.round((beat?.state_age_ms ?? 0) + ageMs),
      peer_epoch: beat?.epoch ?? 0,
      peer_boot_id: beat?.boot_id ?? '',
      peer_api: beat?.api ?? null,
      peer_leaving: beat?.leaving ?? false,
      peer_restarting_ms: remaining(beat?.restarting_ms ?? null, ageMs),
      clock_offset_ms: this.#measurements.clockOffsetMs,
      config_digest: configDigest,
      peer_config_digest: beat?.config_digest ?? '',
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
      const { heard } = this.#last.beat;
      return heard?.run !== run || heard.age_ms >= downAfter ? 'peer-deaf' : null;
    }
    // A prober that has just started is confirmed one round trip later: that is no one-way link yet.
    const unconfirmed = this.#unconfirmed;
    if (!unconfirmed || nowMs - unconfirmed.lastMs >= downAfter) return null;
    return unconfirmed.lastMs - unconfirmed.sinceMs >= suspectAfter ? 'peer-deaf' : null;
  }
}

/** What is left of an announced restart; null when none was announced or its time is over. */
function remaining(announcedMs: number | null, ageMs: number): number | null {
  if (announcedMs === null || ageMs >= announcedMs) return null;
  return Math.round(announcedMs - ageMs);
}
