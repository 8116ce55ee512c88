import { z } from 'zod';
import { nodeStates, roles } from './node.ts';
import { reasons } from './reasons.ts';

/**
 * The `value` of the signal `eastwest.beat`: what the peer says of itself in its beats, as this node's prober last heard it.
 * It travels in the beats because TCP, and NATS with it, may stall while beats still pass.
 *
 * The signal's `status` says whether the peer is heard (already damped, nobody damps again): `ok` = heard, `failed` = silent
 * for `probes.beat.downAfter`, `unknown` = not decided yet. `since` is when that status began. The prober publishes the
 * signal every second and at once when a field below changes; while the peer is silent the fields keep what it last said. It may add measurements
 * of its own (round trip, loss).
 */
export const beatValueSchema = z.object({
  /** The peer's state. Null when its shim has published none, or none within its `ttl_ms`: then it is unknown. */
  peer_state: z.enum(nodeStates).nullable().catch(null).default(null),
  /** The peer's reason; null when nothing restricts it. A reason that this version does not know reads as null. */
  peer_reason: z.enum(reasons).nullable().catch(null).default(null),
  /** How long the peer has been in that state, by its own clock, at `at`. */
  peer_state_age_ms: z.number().nonnegative().default(0),
  /** Number of the current epoch of the peer's log; 0 when unknown. */
  peer_epoch: z.number().int().nonnegative().default(0),
  /** Boot id of the peer's machine; empty when it was never heard. */
  peer_boot_id: z.string().default(''),
  /** The peer said that it stops and stays away: this node acts at once. */
  peer_leaving: z.boolean().default(false),
  /** The peer said that it restarts: the time that it still needs, counted from `at`; null when it said no such thing. */
  peer_restarting_ms: z.number().nonnegative().max(600_000).nullable().default(null),
  /** The peer's clock minus this node's, in milliseconds; null when not measured. */
  clock_offset_ms: z.number().nullable().default(null),
  /** Digest of this node's configuration file, and the peer's; empty when unknown. They should be the same. */
  config_digest: z.string().default(''),
  peer_config_digest: z.string().default(''),
  /** What the peer is configured as: its role, null when it did not say, and its cluster, empty when it did not say. */
  peer_role: z.enum(roles).nullable().catch(null).default(null),
  peer_cluster: z.string().default(''),
});
export type BeatValue = z.infer<typeof beatValueSchema>;
