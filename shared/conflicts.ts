import { z } from 'zod';

/**
 * What `twonode conflicts` asks a shim on `twonode.rpc.<node>.conflicts`, and what it answers. Only who has the services'
 * password may: an observer may neither ask nor hear the answer.
 */
export const conflictsRequestSchema = z.discriminatedUnion('op', [
  z.object({ v: z.literal(1), op: z.literal('list') }),
  /** One conflict, with its values; those of Secrets only with `secrets`. */
  z.object({ v: z.literal(1), op: z.literal('show'), id: z.string(), secrets: z.boolean().default(false) }),
  /** Ends a conflict: `apply` writes the version that lost, if the key still is at `revision`; `drop` leaves the key alone. */
  z.object({ v: z.literal(1), op: z.literal('apply'), id: z.string(), revision: z.int().nonnegative() }),
  z.object({ v: z.literal(1), op: z.literal('drop'), id: z.string() }),
]);
export type ConflictsRequest = z.input<typeof conflictsRequestSchema>;

const sideSchema = z.object({
  node: z.string(),
  deleted: z.boolean(),
  bytes: z.number().int().nonnegative(),
  /** The key's mod revision on that node; 0: not known. */
  revision: z.number().int().nonnegative(),
  /** RFC 3339, by that node's clock; null: not known. */
  time: z.string().nullable(),
  /** Base64; absent where it was not asked for, is a Secret's, or is too large to be kept. */
  value: z.string().optional(),
});
export type SideView = z.infer<typeof sideSchema>;

export const conflictViewSchema = z.object({
  id: z.string(),
  key: z.string(),
  policy: z.string(),
  /** Whose version is in the log. */
  winner: z.enum(['leader', 'follower']),
  routine: z.boolean(),
  /** Its values are shown on demand only. */
  secret: z.boolean(),
  /** RFC 3339: when the merge found it. */
  found: z.string(),
  /** The key's mod revision now; 0: it does not exist. */
  current_revision: z.number().int().nonnegative(),
  leader: sideSchema,
  follower: sideSchema,
});
export type ConflictView = z.infer<typeof conflictViewSchema>;

export const conflictsAnswerSchema = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), conflicts: z.array(conflictViewSchema) }),
  z.object({ ok: z.literal(false), text: z.string() }),
]);
export type ConflictsAnswer = z.infer<typeof conflictsAnswerSchema>;
