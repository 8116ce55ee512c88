import { timingSafeEqual } from 'node:crypto';
import { BeatMac } from './mac.ts';
import { latestMs, type Word, wordSchema } from './word.ts';

/**
 * A beat on the wire: `TNB2`, 16 bytes of HMAC-SHA256 over all that follows, the pulse as four big-endian doubles, then the
 * word as JSON in UTF-8. The pulse differs from beat to beat, the word rarely: both sides make and read it once, and not with
 * each beat. The source address means nothing (a relay or NAT may stand between): who holds the secret is the peer.
 */
const magic = Buffer.from('TNB2', 'latin1').readUInt32BE();
const macAt = 4;
const macBytes = 16;
const pulseAt = macAt + macBytes;
const pulseBytes = 4 * 8;
const wordAt = pulseAt + pulseBytes;

/** Longest datagram that is sent or taken, in bytes: below every MTU that IPv6 allows (1280). */
export const datagramLimit = 1_200;

/** What differs from beat to beat. */
export interface Pulse {
  /** Counts the beats of this run. */
  seq: number;
  /** The sender's wall clock when it sent this, milliseconds since the Unix epoch. */
  sentMs: number;
  /** Sequence of the newest beat that the sender heard from us, and how long ago; 0 when `heard_run` is null. */
  heardSeq: number;
  heardAgeMs: number;
}

export interface Beat {
  pulse: Pulse;
  /** The same object for as long as the word is the same. */
  word: Word;
}

/** Makes datagrams. */
export class BeatEncoder {
  readonly #mac: BeatMac;
  #last: { word: Word; bytes: Buffer } | null = null;

  constructor(secret: string) {
    this.#mac = new BeatMac(secret, datagramLimit - pulseAt);
  }

  /** @param word is taken for the same as long as it is the same object */
  encode({ seq, sentMs, heardSeq, heardAgeMs }: Pulse, word: Word): Buffer {
    const bytes = this.#bytesOf(word);
    const datagram = Buffer.allocUnsafe(wordAt + bytes.length);
    datagram.writeUInt32BE(magic);
    datagram.writeDoubleBE(seq, pulseAt);
    datagram.writeDoubleBE(sentMs, pulseAt + 8);
    datagram.writeDoubleBE(heardSeq, pulseAt + 16);
    datagram.writeDoubleBE(heardAgeMs, pulseAt + 24);
    bytes.copy(datagram, wordAt);
    this.#mac.of(datagram, pulseAt).copy(datagram, macAt, 0, macBytes);
    return datagram;
  }

  #bytesOf(word: Word): Buffer {
    if (this.#last?.word !== word) this.#last = { word, bytes: Buffer.from(JSON.stringify(word), 'utf8') };
    return this.#last.bytes;
  }
}

export type DecodedBeat = { ok: true; beat: Beat } | { ok: false; error: 'malformed' | 'forged' };

const malformed: DecodedBeat = { ok: false, error: 'malformed' };

/** Reads datagrams. */
export class BeatDecoder {
  readonly #mac: BeatMac;
  #last: { bytes: Buffer; word: Word } | null = null;

  constructor(secret: string) {
    this.#mac = new BeatMac(secret, datagramLimit - pulseAt);
  }

  /**
   * Never throws. Nothing of the body is looked at before its HMAC is right. `malformed`: no beat, or of another format.
   * `forged`: made without the secret, or damaged.
   */
  decode(bytes: Buffer): DecodedBeat {
    if (bytes.length <= wordAt || bytes.length > datagramLimit) return malformed;
    if (bytes.readUInt32BE() !== magic) return malformed;
    const expected = this.#mac.of(bytes, pulseAt).subarray(0, macBytes);
    if (!timingSafeEqual(bytes.subarray(macAt, pulseAt), expected)) {
      return { ok: false, error: 'forged' };
    }
    const pulse = readPulse(bytes);
    const word = pulse && this.#wordIn(bytes);
    return pulse && word ? { ok: true, beat: { pulse, word } } : malformed;
  }

  #wordIn(datagram: Buffer): Word | null {
    if (this.#last && datagram.compare(this.#last.bytes, 0, this.#last.bytes.length, wordAt) === 0) {
      return this.#last.word;
    }
    // A copy: what came in may lie in a buffer that is used again.
    const bytes = Buffer.from(datagram.subarray(wordAt));
    try {
      const parsed = wordSchema.safeParse(JSON.parse(bytes.toString('utf8')));
      if (!parsed.success) return null;
      this.#last = { bytes, word: parsed.data };
      return parsed.data;
    } catch {
      return null;
    }
  }
}

function readPulse(bytes: Buffer): Pulse | null {
  const seq = bytes.readDoubleBE(pulseAt);
  const sentMs = bytes.readDoubleBE(pulseAt + 8);
  const heardSeq = bytes.readDoubleBE(pulseAt + 16);
  const heardAgeMs = bytes.readDoubleBE(pulseAt + 24);
  const sequences = [seq, heardSeq].every((number) => Number.isSafeInteger(number) && number >= 0);
  const times = sentMs >= 0 && sentMs <= latestMs && heardAgeMs >= 0 && heardAgeMs < Number.POSITIVE_INFINITY;
  return sequences && times ? { seq, sentMs, heardSeq, heardAgeMs } : null;
}
