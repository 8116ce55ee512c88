import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Beat, datagramLimit, decodeBeat, encodeBeat } from './wire.ts';

const secret = 'a'.repeat(64);
const beat: Beat = {
  node: 'node-a',
  boot_id: '5b6d1c6e-8a53-4c8e-9a5b-0f1d2e3c4b5a',
  run: '0c1d2e3f-8a53-4c8e-9a5b-0f1d2e3c4b5a',
  seq: 812,
  sent_ms: 1_767_225_600_000,
  state: 'LeaderRX',
  state_reason: 'peer-down',
  state_age_ms: 42_000,
  epoch: 4,
  config_digest: '0123456789ab',
  api: 'ok',
  leaving: false,
  restarting_ms: null,
  heard: { run: '9c1d2e3f-8a53-4c8e-9a5b-0f1d2e3c4b5a', seq: 99, age_ms: 12.5 },
};

/** The datagram of any body under the right secret. */
function signed(body: unknown): Buffer {
  return encodeBeat(body as Beat, secret);
}

test('a beat comes out as it went in, and is small', () => {
  const datagram = encodeBeat(beat, secret);
  assert.equal(decodeBeat(datagram, secret), { ok: true, beat });
  assert.ok(datagram.length < datagramLimit);
});

test('made without the secret, or changed in any bit, it is forged or malformed', () => {
  assert.equal(decodeBeat(encodeBeat(beat, 'b'.repeat(64)), secret), { ok: false, error: 'forged' });
  const datagram = encodeBeat(beat, secret);
  for (let bit = 0; bit < datagram.length * 8; bit++) {
    const changed = Buffer.from(datagram);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.is(decodeBeat(changed, secret).ok, false, `bit ${bit}`);
  }
});

test('cut short anywhere it is no beat', () => {
  const datagram = encodeBeat(beat, secret);
  for (let length = 0; length < datagram.length; length++) {
    assert.is(decodeBeat(datagram.subarray(0, length), secret).ok, false, `${length} bytes`);
  }
});

test('any bytes at all are answered, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_500 }), (bytes) => decodeBeat(bytes, secret).ok === false),
  );
});

test('a genuine body with wrong fields is malformed', () => {
  const bodies = [
    null,
    [],
    'beat',
    {},
    { ...beat, seq: -1 },
    { ...beat, seq: 1.5 },
    { ...beat, node: 7 },
    { ...beat, restarting_ms: 1e9 },
    { ...beat, heard: { seq: 1 } },
  ];
  for (const body of bodies)
    assert.equal(decodeBeat(signed(body), secret), { ok: false, error: 'malformed' });
});

test('a newer peer may say more, and name states and reasons that this version does not know', () => {
  const decoded = decodeBeat(signed({ ...beat, mood: 'fine', state: 'Zen', state_reason: 'new' }), secret);
  assert.equal(decoded, { ok: true, beat: { ...beat, state: null, state_reason: null } });
});

test.run();
