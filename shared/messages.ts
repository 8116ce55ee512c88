import { z } from 'zod';
import { nodeStates, roles } from './node.ts';
import { reasons } from './reasons.ts';

/**
 * The messages that cross a service boundary, as schemas. Unknown fields are ignored, so that a newer peer may add some.
 * Times are RFC 3339 UTC, durations are in the unit in the field's name.
 */

const time = z.iso.datetime({ offset: true });

export const signalStatuses = ['ok', 'warning', 'failed', 'unknown'] as const;
export type SignalStatus = (typeof signalStatuses)[number];

/** One health result, published by the prober on `twonode.health.<node>.<area>.<check>`. */
export const signalSchema = z.object({
  v: z.literal(1),
  node: z.string(),
  area: z.enum(['local', 'eastwest', 'northsouth']),
  check: z.string(),
  status: z.enum(signalStatuses),
  /** When the status began. */
  since: time,
  /** When it was last measured. */
  at: time,
  /** Counts the messages of this subject since the prober started. */
  seq: z.number().int().nonnegative(),
  /** After this time without a newer message the signal is stale. */
  ttl_ms: z.number().int().positive(),
  /** One line for people; empty when there is nothing to say. */
  reason: z.string(),
  /** Whether a `failed` of this check is fatal for the node (its configured severity), or only a warning. */
  severity: z.enum(['fatal', 'warning', 'off']).default('fatal'),
  /** The boot id of the node's machine (or of the prober where the system has none). */
  boot_id: z.string().default(''),
  /** What was measured. */
  value: z.record(z.string(), z.unknown()).default({}),
});
export type Signal = z.infer<typeof signalSchema>;

/** What the prober's `status` endpoint answers: the current signal of every check. */
export const proberStatusSchema = z.object({
  v: z.literal(1),
  node: z.string(),
  signals: z.array(signalSchema),
});

/** What a node knows of its peer. */
export const peerViewSchema = z.object({
  node: z.string(),
  /** The state that the peer last published, or `Impaired` when it is not heard (a node that is off shows as Impaired). */
  state: z.enum(nodeStates).nullable(),
  reason: z.enum(reasons).nullable(),
  heard: z.boolean(),
  /** Age of the peer's last state message in milliseconds, null when there was none. */
  age_ms: z.number().nonnegative().nullable(),
});
export type PeerView = z.infer<typeof peerViewSchema>;

/** The state of a node, published by its shim on `twonode.state.<node>`. */
export const stateSchema = z.object({
  v: z.literal(1),
  node: z.string(),
  role: z.enum(roles),
  state: z.enum(nodeStates),
  since: time,
  /** Null while nothing restricts the node. */
  reason: z.enum(reasons).nullable(),
  /** The reason for people, with names and times; empty when `reason` is null. */
  text: z.string(),
  /** When the reason began: the time that `text` names. Absent: take `since`. */
  reason_since: time.optional(),
  warnings: z.array(z.string()).default([]),
  /** Number of the log's current epoch; 0 before the log is known. */
  epoch: z.number().int().nonnegative(),
  /** The newest revision that readers on this node may see. */
  revision: z.number().int().nonnegative(),
  /** Conflicts of merges that nobody has ended, but routine ones. */
  conflicts: z.number().int().nonnegative().default(0),
  peer: peerViewSchema,
  /** Counts the state messages since the shim started. */
  seq: z.number().int().nonnegative(),
  ttl_ms: z.number().int().positive(),
});
export type StateMessage = z.infer<typeof stateSchema>;

/** The outcome of reading a message from outside: the value, or one sentence that says what is wrong. */
export type Decoded<T> = { ok: true; value: T } | { ok: false; error: string };

/** Reads a JSON message by its schema. Never throws. */
export function decodeMessage<S extends z.ZodType>(schema: S, data: Uint8Array): Decoded<z.infer<S>> {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(data).toString('utf8'));
  } catch {
    return { ok: false, error: `not JSON (${data.length} bytes)` };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  return { ok: false, error: `${issue?.path.join('.') || 'message'}: ${issue?.message ?? 'invalid'}` };
}

export function encodeMessage(message: Signal | StateMessage): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}
