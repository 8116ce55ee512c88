import { headers, type MsgHdrs } from 'nats';
import { z } from 'zod';
import { roles } from '../../../shared/node.ts';
import { status } from '../etcd/grpc/status.ts';
import { bool, bytes, type Infer, int64, key, message, repeated, string } from '../protobuf/message.ts';

/**
 * What the two shims say to each other, on `twonode.rpc.<node>.<method>` (NATS request/reply). Control messages are JSON;
 * forwarded writes carry etcd's own request and response bytes.
 *
 * A session is one life of the leader's shim: its epoch's id. What belongs to another session is dropped.
 */

/** Where a log stands: equal chains at one sequence mean equal logs up to there. */
const pointSchema = z.object({
  sequence: z.number().int().nonnegative(),
  chain: z.number().int().nonnegative(),
});
export type Point = z.infer<typeof pointSchema>;

/** Who a node is, by its configuration. */
export const identitySchema = z.object({
  cluster: z.string(),
  node: z.string(),
  role: z.enum(roles),
  /** Name of the other node. */
  peer: z.string(),
});
export type Identity = z.infer<typeof identitySchema>;

/** Epochs that a hello tells of, the newest ones. */
export const helloEpochsMax = 256;

/** `hello`, follower to leader: here I stand, compare. */
export const helloSchema = z.object({
  v: z.literal(1),
  identity: identitySchema,
  /** The end of the copy that is served, and the first record that it holds. */
  point: pointSchema,
  first_sequence: z.number().int().positive(),
  /** The end of the new copy that is being made beside it; null when none is. */
  copy: pointSchema.nullable(),
  /** Names the mirror that the leader is to feed; it may be made only when its consumer is there. */
  mirror: z.string(),
  /** This follower has been off: nobody knows whether its disk lost something, nor what it wrote alone. */
  may_have_lost: z.boolean().default(false),
  /** The record at which it was stopped on purpose before it was off, and which it still holds; null: that is not so. */
  stopped_at: z.number().int().nonnegative().nullable().default(null),
  /** The newest revision that it knows to be used, on either node: the leader's disk may have lost that. */
  used_revision: z.number().int().nonnegative().default(0),
  /** Id of the epoch with which this follower's log began, empty when it has none. */
  founding: z.string(),
  /** The newest epochs of this follower's log, in their order. */
  epochs: z
    .array(z.object({ id: z.string(), firstSequence: z.number().int().positive() }))
    .max(helloEpochsMax),
});
export type Hello = z.infer<typeof helloSchema>;

export const helloAnswerSchema = z.discriminatedUnion('ok', [
  z.object({
    ok: z.literal(true),
    session: z.string(),
    epoch: z.number().int().positive(),
    /** The record with which the epoch begins. */
    epoch_first_sequence: z.number().int().positive(),
    /** Name of the stream that holds the leader's log. */
    stream: z.string(),
    /** Up to here the follower's copy is the leader's log; what it holds beyond is of another history. */
    common: z.number().int().nonnegative(),
    /** Whether the new copy is the leader's log as far as it goes. */
    copy_is_ours: z.boolean(),
    /** Newest sequence and revision that are acknowledged. */
    sequence: z.number().int().nonnegative(),
    revision: z.number().int().positive(),
    /** The first record that the leader's log still holds: only what is before it may be missing in a mirror. */
    first_sequence: z.number().int().positive(),
    /** The leader's monotonic clock, for deadlines. */
    clock_ms: z.number().nonnegative(),
  }),
  z.object({
    ok: z.literal(false),
    reason: z.enum(['starting', 'restoring', 'contradiction']),
    text: z.string(),
  }),
]);
export type HelloAnswer = z.infer<typeof helloAnswerSchema>;

/** `log`, leader to follower: the records that your copy holds from here on. */
export const logRequestSchema = z.object({
  from: z.number().int().positive(),
  records_max: z.number().int().positive().max(64),
});

/** Records as they stand in the log, one behind the other; none when there is no record at `first`. */
export const logBatch = message({ first: int64(1), records: repeated(2, message({ bytes: bytes(1) })) });

/** `ping`, either way: are you there, and who are you now? */
export const pingAnswerSchema = z.object({
  /** Null while the shim has no session: a follower, or a leader that is not verified yet. */
  session: z.string().nullable(),
  sequence: z.number().int().nonnegative(),
  revision: z.number().int().nonnegative(),
  /** Whether the log of the one who answers takes writes; one that is full or broken does not. */
  takes_writes: z.boolean().default(true),
  clock_ms: z.number().nonnegative(),
});
export type PingAnswer = z.infer<typeof pingAnswerSchema>;

/** `read-index`, follower to leader: up to which revision must I be, to read what is true now? */
export const readIndexAnswerSchema = z.object({
  session: z.string(),
  revision: z.number().int().nonnegative(),
});

/** `stored`, follower to leader, no answer: the mirror holds the log up to here. */
export const storedSchema = z.object({ session: z.string(), sequence: z.number().int().nonnegative() });

/** `commit`, leader to follower, no answer: up to here everything is acknowledged. */
export const commitSchema = z.object({ session: z.string(), revision: z.number().int().nonnegative() });

/** One key that a follower changed alone, as it stands now. */
export const mergeEntry = message({
  key: key(1),
  /** The key's mod revision that the follower saw in the mirror, 0 if it was absent. */
  base: int64(2),
  deleted: bool(3),
  value: bytes(4),
  /** When it was changed, in ms since the Unix epoch by the follower's clock. */
  timeMs: int64(5),
  /** The key's mod revision in the overlay. */
  revision: int64(6),
});
export type MergeEntry = Infer<typeof mergeEntry>;

/** `merge`, follower to leader. */
export const mergeRequest = message({
  session: string(1),
  overlay: string(2),
  /** The overlay's newest revision. */
  revision: int64(3),
  entries: repeated(4, mergeEntry),
  /** Nothing follows: record the overlay as merged. */
  last: bool(5),
  /** Conflicts that the leader's log has lost, as that log held them. */
  conflicts: repeated(6, message({ bytes: bytes(1) })),
});
export const mergeAnswerSchema = z.object({
  ok: z.boolean(),
  /** The log's sequence that holds the batch. */
  sequence: z.number().int().nonnegative(),
  text: z.string().default(''),
});
export type MergeAnswer = z.infer<typeof mergeAnswerSchema>;

const header = {
  session: 'Twonode-Session',
  method: 'Twonode-Method',
  deadline: 'Twonode-Deadline',
  senderState: 'Twonode-State',
  code: 'Twonode-Code',
  text: 'Twonode-Text',
  revision: 'Twonode-Revision',
} as const;

/**
 * A write that a follower passes on. It carries no id: it is sent once and never again, and its NATS reply inbox tells its answer
 * from all others.
 */
export const forwardedWriteSchema = z.object({
  session: z.string(),
  method: z.enum([
    'Put',
    'DeleteRange',
    'Txn',
    'Compact',
    'LeaseGrant',
    'LeaseRevoke',
    'LeaseKeepAlive',
    'LeaseTimeToLive',
    'LeaseLeases',
    'Alarm',
    'ResolveConflict',
  ]),
  /** On the leader's monotonic clock, in ms: later it is dropped. */
  deadline: z.coerce.number().nonnegative(),
  senderState: z.enum(['Leader', 'Follower', 'LeaderRX', 'Impaired']),
});
export type ForwardedWrite = z.infer<typeof forwardedWriteSchema>;

export function forwardedWriteHeaders(write: ForwardedWrite): MsgHdrs {
  const result = headers();
  result.set(header.session, write.session);
  result.set(header.method, write.method);
  result.set(header.deadline, String(write.deadline));
  result.set(header.senderState, write.senderState);
  return result;
}

/** @throws ZodError */
export function readForwardedWrite(received: MsgHdrs | undefined): ForwardedWrite {
  return forwardedWriteSchema.parse({
    session: received?.get(header.session),
    method: received?.get(header.method),
    deadline: received?.get(header.deadline) || undefined,
    senderState: received?.get(header.senderState),
  });
}

/** The largest answer to a forwarded write, in bytes: it is one message, below nats-server's `max_payload` of 8 MiB with its headers. */
export const answerBytesMax = 7 * 1024 * 1024;

/** The outcome of a forwarded write: a gRPC status, and the revision that the follower must hold before it answers. */
export const writeOutcomeSchema = z.object({
  code: z.coerce.number().pipe(z.enum(status)),
  text: z.string(),
  revision: z.coerce.number().nonnegative(),
});
export type WriteOutcome = z.infer<typeof writeOutcomeSchema>;

export function writeOutcomeHeaders(outcome: WriteOutcome): MsgHdrs {
  const result = headers();
  result.set(header.code, String(outcome.code));
  result.set(header.text, encodeURIComponent(outcome.text));
  result.set(header.revision, String(outcome.revision));
  return result;
}

/** @throws ZodError */
export function readWriteOutcome(received: MsgHdrs | undefined): WriteOutcome {
  return writeOutcomeSchema.parse({
    code: received?.get(header.code),
    text: decodeURIComponent(received?.get(header.text) ?? ''),
    revision: received?.get(header.revision),
  });
}
