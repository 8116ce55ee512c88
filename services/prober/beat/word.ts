import { z } from 'zod';
import { nodeStates, type Role, roles } from '../../../shared/node.ts';
import { reasons } from '../../../shared/reasons.ts';

/** Longest time that a restart may be announced for, in milliseconds. */
const restartLimitMs = 600_000;
/** The last moment that a Date can be, in milliseconds since the Unix epoch. */
export const latestMs = 8_640_000_000_000_000;

/** What a node says of itself in its beats. It changes rarely: a beat carries it as the bytes of the beat before. */
export const wordSchema = z.object({
  /** The sender. */
  node: z.string().max(63),
  boot_id: z.string().max(64),
  /** Names this run of the sender's prober: the sequence begins anew with each. */
  run: z.string().max(64),
  /** The sender's state as its shim last said; null when it said none within its `ttl_ms`. */
  state: z.enum(nodeStates).nullable().catch(null),
  /** A reason that this version does not know reads as null. */
  state_reason: z.enum(reasons).nullable().catch(null),
  /** The sender's wall clock when the state began, milliseconds since the Unix epoch; 0 without a state. */
  state_since_ms: z.number().nonnegative().max(latestMs),
  /** Epoch of the sender's log; 0 when unknown. */
  epoch: z.int().nonnegative(),
  config_digest: z.string().max(64),
  /** What the sender is configured as; null and empty when it does not say. */
  role: z.enum(roles).nullable().catch(null).default(null),
  cluster: z.string().max(63).default(''),
  /** Status of the sender's own `local.api`; null before it has one. */
  api: z.string().max(16).nullable(),
  /** The sender stops and stays away. */
  leaving: z.boolean(),
  /** The sender restarts and needs this many milliseconds; null when it does not. */
  restarting_ms: z.number().nonnegative().max(restartLimitMs).nullable(),
  /** The run of which the sender heard a beat last; null when it heard none. */
  heard_run: z.string().max(64).nullable(),
});
export type Word = z.infer<typeof wordSchema>;

/** Who speaks. */
export interface WordIdentity {
  self: string;
  bootId: string;
  /** Random, new with each start of the prober. */
  run: string;
  configDigest: string;
  role: Role;
  cluster: string;
}

/** What a prober is told of its own node, to say it in its beats. */
export interface OwnWord {
  state: Word['state'];
  stateReason: Word['state_reason'];
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

/** @param heardRun the run of which the sender heard a beat last; null when it heard none */
export function composeWord(identity: WordIdentity, own: OwnWord, heardRun: string | null): Word {
  return {
    node: identity.self,
    boot_id: identity.bootId,
    run: identity.run,
    state: own.state,
    state_reason: own.stateReason,
    state_since_ms: own.stateSinceMs,
    epoch: own.epoch,
    config_digest: identity.configDigest,
    role: identity.role,
    cluster: identity.cluster,
    api: own.api,
    leaving: own.leaving,
    restarting_ms: own.restartingMs,
    heard_run: heardRun,
  };
}
