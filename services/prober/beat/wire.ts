import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { nodeStates } from '../../../shared/node.ts';
import { reasons } from '../../../shared/reasons.ts';

/**
 * A beat on the wire: `TNB1`, 16 bytes of HMAC-SHA256 over all that follows, then the body as JSON in UTF-8. The source
 * address means nothing (a relay or NAT may stand between): who holds the secret is the peer.
 */
const magic = Buffer.from('TNB1', 'latin1');
const macBytes = 16;
const headerBytes = magic.length + macBytes;

/** Longest datagram that is sent or taken, in bytes: below every MTU that IPv6 allows (1280). */
export const datagramLimit = 1_200;

/** Longest time that a restart may be announced for, in milliseconds. */
const restartLimitMs = 600_000;

const sequence = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

export const beatSchema = z.object({
  /** The sender. */
  node: z.string().max(63),
  boot_id: z.string().max(64),
  /** Names this run of the sender's prober: the sequence begins anew with each. */
  run: z.string().max(64),
  seq: sequence,
  /** The sender's wall clock when it sent this, milliseconds since the Unix epoch. */
  sent_ms: z.number().int().nonnegative().max(8_640_000_000_000_000),
  /** The sender's state as its shim last said; null when it said none within its `ttl_ms`. */
  state: z.enum(nodeStates).nullable().catch(null),
  /** A reason that this version does not know reads as null. */
  state_reason: z.enum(reasons).nullable().catch(null),
  state_age_ms: z.number().nonnegative(),
  /** Epoch of the sender's log; 0 when unknown. */
  epoch: sequence,
  config_digest: z.string().max(64),
  /** Status of the sender's own `local.api`; null before it has one. */
  api: z.string().max(16).nullable(),
  /** The sender stops and stays away. */
  leaving: z.boolean(),
  /** The sender restarts and needs this many milliseconds; null when it does not. */
  restarting_ms: z.number().nonnegative().max(restartLimitMs).nullable(),
  /** The newest beat that the sender heard from us, and how long ago; null when it heard none. */
  heard: z.object({ run: z.string().max(64), seq: sequence, age_ms: z.number().nonnegative() }).nullable(),
});
export type Beat = z.infer<typeof beatSchema>;

/** Makes the datagram of a beat. */
export function encodeBeat(beat: Beat, secret: string): Buffer {
  const body = Buffer.from(JSON.stringify(beat), 'utf8');
  return Buffer.concat([magic, mac(body, secret), body]);
}

export type DecodedBeat = { ok: true; beat: Beat } | { ok: false; error: 'malformed' | 'forged' };

/**
 * Reads a datagram. Never throws. Nothing of the body is looked at before its HMAC is right.
 * `malformed`: no beat, or of another format. `forged`: made without the secret, or damaged.
 */
export function decodeBeat(datagram: Uint8Array, secret: string): DecodedBeat {
  const bytes = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (bytes.length <= headerBytes || bytes.length > datagramLimit) return { ok: false, error: 'malformed' };
  if (!bytes.subarray(0, magic.length).equals(magic)) return { ok: false, error: 'malformed' };
  const body = bytes.subarray(headerBytes);
  if (!timingSafeEqual(bytes.subarray(magic.length, headerBytes), mac(body, secret))) {
    return { ok: false, error: 'forged' };
  }
  try {
    const parsed = beatSchema.safeParse(JSON.parse(body.toString('utf8')));
    return parsed.success ? { ok: true, beat: parsed.data } : { ok: false, error: 'malformed' };
  } catch {
    return { ok: false, error: 'malformed' };
  }
}

function mac(body: Uint8Array, secret: string): Buffer {
  return createHmac('sha256', secret).update(body).digest().subarray(0, macBytes);
}
