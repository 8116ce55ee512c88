import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BeatDecoder, BeatEncoder, datagramLimit, type Pulse } from './wire.ts';
import type { Word } from './word.ts';

const secret = 'a'.repeat(64);
const pulse: Pulse = { seq: 812, sentMs: 1_767_225_600_000, heardSeq: 99, heardAgeMs: 12.5 };
const word: Word = {
  node: 'node-a',
  boot_id: '5b6d1c6e-8a53-4c8e-9a5b-0f1d2e3c4b5a',
  run: '0c1d2e3f-8a53-4c8e-9a5b-0f1d2e3c4b5a',
  state: 'LeaderRX',
  state_reason: 'peer-down',
  state_since_ms: 1_767_225_558_000,
  epoch: 4,
  config_digest: '0123456789ab',
  role: 'leader',
  cluster: 'edge-1',
  api: 'ok',
  leaving: false,
  restarting_ms: null,
  heard_run: '9c1d2e3f-8a53-4c8e-9a5b-0f1d2e3c4b5a',
};

const encode = (what: Word = word, from: Pulse = pulse, under = secret) =>
  new BeatEncoder(under).encode(from, what);
const decode = (datagram: Uint8Array) => new BeatDecoder(secret).decode(Buffer.from(datagram));

test('a beat comes out as it went in, and is small', () => {
  assert.equal(decode(encode()), { ok: true, beat: { pulse, word } });
  assert.ok(encode().length < datagramLimit);
});

test('a word that is said again is the same object, and a changed one is not', () => {
  const encoder = new BeatEncoder(secret);
  const decoder = new BeatDecoder(secret);
  const said = [word, word, { ...word }, { ...word, epoch: 5 }, word].map((next, index) => {
    const decoded = decoder.decode(encoder.encode({ ...pulse, seq: index }, next));
    if (!decoded.ok) throw new Error(decoded.error);
    assert.is(decoded.beat.pulse.seq, index);
    return decoded.beat.word;
  });
  assert.is(said[1], said[0]);
  assert.is(said[2], said[0]);
  assert.is(said[3]?.epoch, 5);
  assert.equal(said[4], word);
});

test('a word is kept though the buffer that it came in is used again', () => {
  const decoder = new BeatDecoder(secret);
  const buffer = Buffer.from(encode());
  decoder.decode(buffer);
  buffer.fill(0);
  assert.equal(decoder.decode(encode({ ...word, epoch: 9 })), {
    ok: true,
    beat: { pulse, word: { ...word, epoch: 9 } },
  });
});

test('made without the secret, or changed in any bit, it is forged or malformed', () => {
  assert.equal(decode(encode(word, pulse, 'b'.repeat(64))), { ok: false, error: 'forged' });
  const datagram = encode();
  for (let bit = 0; bit < datagram.length * 8; bit++) {
    const changed = Buffer.from(datagram);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.is(decode(changed).ok, false, `bit ${bit}`);
  }
});

test('cut short anywhere it is no beat', () => {
  const datagram = encode();
  for (let length = 0; length < datagram.length; length++) {
    assert.is(decode(datagram.subarray(0, length)).ok, false, `${length} bytes`);
  }
});

test('any bytes at all are answered, never thrown at', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 1_500 }), (bytes) => decode(bytes).ok === false));
});

test('a genuine body with wrong fields is malformed', () => {
  const words = [
    null,
    [],
    'beat',
    {},
    { ...word, node: 7 },
    { ...word, restarting_ms: 1e9 },
    { ...word, state_since_ms: -1 },
    { ...word, heard_run: 1 },
  ];
  for (const wrong of words) {
    assert.equal(decode(encode(wrong as Word)), { ok: false, error: 'malformed' }, JSON.stringify(wrong));
  }
  const pulses = [
    { seq: -1 },
    { seq: 1.5 },
    { seq: Number.NaN },
    { seq: 2 ** 60 },
    { sentMs: Number.POSITIVE_INFINITY },
    { sentMs: 9e15 },
    { heardSeq: -1 },
    { heardAgeMs: -1 },
    { heardAgeMs: Number.POSITIVE_INFINITY },
  ];
  for (const wrong of pulses) {
    const datagram = encode(word, { ...pulse, ...wrong });
    assert.equal(decode(datagram), { ok: false, error: 'malformed' }, JSON.stringify(wrong));
  }
});

test('a newer peer may say more, and name states and reasons that this version does not know', () => {
  const newer = { ...word, mood: 'fine', state: 'Zen', state_reason: 'new' };
  assert.equal(decode(encode(newer as unknown as Word)), {
    ok: true,
    beat: { pulse, word: { ...word, state: null, state_reason: null } },
  });
});

test.run();
