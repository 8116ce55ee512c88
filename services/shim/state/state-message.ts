import type { PeerView, StateMessage } from '../../../shared/messages.ts';
import type { NodeState } from '../../../shared/node.ts';
import { type Reason, reasonText } from '../../../shared/reasons.ts';
import type { Machine } from './machine.ts';

/** `ttl_ms` of a state message. */
const stateTtlMs = 3_000;

/** The state in force, as the shim's other parts and people see it. */
export interface CurrentState {
  readonly state: NodeState;
  /** Null while nothing restricts the node. */
  readonly reason: Reason | null;
  /** The reason for people; empty when there is none. */
  readonly text: string;
  /** When the state was entered, and when its reason began, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  readonly reasonSinceMs: number;
  readonly warnings: string[];
  readonly peer: PeerView;
  /** The peer's clock minus this node's, in milliseconds; null when it is not measured. */
  readonly clockOffsetMs: number | null;
}

/** @param wallMs shows a time of the machine as people's clocks do */
export function currentState(machine: Machine, wallMs: (ms: number) => number): CurrentState {
  const { state, reason, failure, ...times } = machine.memory.verdict;
  const sinceMs = wallMs(times.sinceMs);
  const reasonSinceMs = wallMs(times.reasonSinceMs);
  const { peer } = machine.config;
  return {
    state,
    reason,
    text: reason === null ? '' : reasonText(reason, { peer, sinceMs: reasonSinceMs, failure }),
    sinceMs,
    reasonSinceMs,
    warnings: machine.warnings.map(({ text }) => text),
    peer: peerView(machine),
    clockOffsetMs: machine.known.beat?.clock_offset_ms ?? null,
  };
}

/** What the peer last said. One that is not heard shows as Impaired: it may be off. */
function peerView({ memory, known, config, nowMs }: Machine): PeerView {
  const { heard } = memory.peer;
  const said = known.peerSaid;
  const age_ms = said && nowMs - said.saidMs;
  if (!heard) return { node: config.peer, state: 'Impaired', reason: null, heard, age_ms };
  const isFresh = said !== null && nowMs <= said.untilMs;
  return {
    node: config.peer,
    state: isFresh ? said.state : null,
    reason: isFresh ? said.reason : null,
    heard,
    age_ms,
  };
}

/** The message on `twonode.state.<node>`. @param seq counts the messages of this shim */
export function stateMessage(
  machine: Machine,
  { sinceMs, reasonSinceMs, clockOffsetMs: _, ...current }: CurrentState,
  log: { readonly epoch: number; readonly revision: number; readonly conflicts: number } | null,
  seq: number,
): StateMessage {
  const { node, role } = machine.config;
  return {
    v: 1,
    node,
    role,
    ...current,
    since: new Date(sinceMs).toISOString(),
    ...(current.reason === null ? {} : { reason_since: new Date(reasonSinceMs).toISOString() }),
    epoch: log?.epoch ?? 0,
    revision: log?.revision ?? 0,
    conflicts: log?.conflicts ?? 0,
    seq,
    ttl_ms: stateTtlMs,
  };
}
