import { z } from 'zod';
import { nodeStates, roles } from '../../../shared/node.ts';
import { reasons } from '../../../shared/reasons.ts';
import type { MachineConfig } from './config.ts';

/** Milliseconds since the Unix epoch. */
const time = z.number();

/**
 * What the state machine must remember, so that a restart of the shim changes nothing. All else it learns anew from the
 * prober and the datastore within a second.
 */
export const memorySchema = z.object({
  v: z.literal(1),
  node: z.string(),
  role: z.enum(roles),
  /** The boot in which this was written: another one begins with `starting`. */
  bootId: z.string(),
  /** Since that boot the peer was heard, or was down for `bootGrace`. */
  bootOver: z.boolean(),
  /** The checks of API and CNI that were ever healthy on this installation: only these can fail fatally. */
  everHealthy: z.array(z.string()),
  /** The verdict in force. */
  verdict: z.object({
    state: z.enum(nodeStates),
    reason: z.enum(reasons).nullable(),
    check: z.string(),
    failure: z.string(),
    /** When the state was entered. */
    sinceMs: time,
    /** When its reason began. */
    reasonSinceMs: time,
  }),
  /** What made this node LeaderRX. Over when it is Leader or Follower again. */
  incident: z
    .object({
      startMs: time,
      /** The north-south reach that is lost now was lost within this incident. */
      coversNorthSouth: z.boolean(),
    })
    .nullable(),
  /** The peer as it was last judged. */
  peer: z.object({
    heard: z.boolean(),
    silentSinceMs: time.nullable(),
    health: z.enum(['healthy', 'impaired', 'api-failed']),
    saysLeader: z.boolean(),
    logLink: z.enum(['works', 'settling', 'stalled']),
  }),
  /** Since when the log link does not work; null while it does. */
  linkDownSinceMs: time.nullable(),
  /** Since when it works without a break; null while it does not. */
  linkUpSinceMs: time.nullable(),
  /** The peer said that it restarts and is back by then. */
  peerRestartingUntilMs: time.nullable(),
  /** Last sign of life of a prober that is silent; null while it is not. */
  proberSilentSinceMs: time.nullable(),
});
export type Memory = z.infer<typeof memorySchema>;

/** The memory of a node that has never run. */
export function newMemory(config: MachineConfig, bootId: string, nowMs: number): Memory {
  return {
    v: 1,
    node: config.node,
    role: config.role,
    bootId,
    bootOver: false,
    everHealthy: [],
    verdict: {
      state: 'Impaired',
      reason: 'starting',
      check: '',
      failure: '',
      sinceMs: nowMs,
      reasonSinceMs: nowMs,
    },
    incident: null,
    peer: { heard: false, silentSinceMs: null, health: 'healthy', saysLeader: false, logLink: 'settling' },
    linkDownSinceMs: null,
    linkUpSinceMs: null,
    peerRestartingUntilMs: null,
    proberSilentSinceMs: null,
  };
}

/**
 * The memory with which a machine starts: the saved one within the same boot. After a reboot the node waits for its peer
 * again, but an incident goes on, and what was ever healthy still was. Another node's or role's memory is only good for that.
 */
export function recall(config: MachineConfig, saved: Memory | null, bootId: string, nowMs: number): Memory {
  if (!saved || saved.node !== config.node) return newMemory(config, bootId, nowMs);
  const fresh = { ...newMemory(config, bootId, nowMs), everHealthy: saved.everHealthy };
  if (saved.role !== config.role) return fresh;
  if (saved.bootId !== bootId) return { ...fresh, incident: saved.incident };
  return notAfter(saved, nowMs);
}

/** Times that a clock, set back meanwhile, puts into the future would never pass. */
function notAfter(memory: Memory, nowMs: number): Memory {
  const { verdict, incident, peer } = memory;
  const clamp = (ms: number | null) => (ms === null ? null : Math.min(ms, nowMs));
  return {
    ...memory,
    verdict: {
      ...verdict,
      sinceMs: Math.min(verdict.sinceMs, nowMs),
      reasonSinceMs: Math.min(verdict.reasonSinceMs, nowMs),
    },
    incident: incident && { ...incident, startMs: Math.min(incident.startMs, nowMs) },
    peer: { ...peer, silentSinceMs: clamp(peer.silentSinceMs) },
    linkDownSinceMs: clamp(memory.linkDownSinceMs),
    linkUpSinceMs: clamp(memory.linkUpSinceMs),
    proberSilentSinceMs: clamp(memory.proberSilentSinceMs),
  };
}
