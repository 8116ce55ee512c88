import { isDeepStrictEqual } from 'node:util';
import type { Signal, StateMessage } from '../../../shared/messages.ts';
import type { NodeState } from '../../../shared/node.ts';
import type { Reason } from '../../../shared/reasons.ts';
import type { MachineConfig } from './config.ts';
import {
  everHealthy,
  factsAt,
  isPeerRestarting,
  isProberSilent,
  lastSignOfLife,
  type Sources,
} from './facts.ts';
import {
  type Datastore,
  type Known,
  learnDatastore,
  learnPeerState,
  learnSignal,
  nothingKnown,
} from './known.ts';
import { type Memory, recall } from './persisted.ts';
import { type Facts, judge, type Verdict } from './rules.ts';
import { type Warning, warningsAt } from './warnings.ts';

/**
 * The state machine of one node (docs/states.md): pure, no clock, no I/O. In goes what was heard, with the time; out come the
 * machine that follows and what is to be done. `known.ts` gathers what is heard, `facts.ts` says what it means now,
 * `rules.ts` judges.
 */
export interface Machine {
  readonly config: MachineConfig;
  /** What must survive a restart of the shim. */
  readonly memory: Memory;
  readonly known: Known;
  readonly startedMs: number;
  /** Time of the last input. */
  readonly nowMs: number;
  readonly warnings: readonly Warning[];
}

/** Something that happened, at `nowMs` (milliseconds since the Unix epoch; time never goes back). */
export type Input = { readonly nowMs: number } & (
  | { readonly kind: 'tick' }
  /** What this node's prober says: one signal, or all that it has to tell to one who comes late, judged together. */
  | { readonly kind: 'signals'; readonly signals: readonly Signal[] }
  /** What the peer's shim says. */
  | { readonly kind: 'peer-state'; readonly message: StateMessage }
  | { readonly kind: 'datastore'; readonly datastore: Datastore }
);

/** Something that is to be done. */
export type Effect =
  /** The node enters a state (`from` differs from `to`), or stays in it for another reason. */
  | {
      readonly kind: 'enter';
      readonly from: NodeState;
      readonly to: NodeState;
      readonly reason: Reason | null;
      readonly failure: string;
      readonly reasonSinceMs: number;
    }
  /** The memory has changed: write it to disk before the new state is told to anyone. */
  | { readonly kind: 'persist'; readonly memory: Memory }
  /** Warnings have come or gone. */
  | { readonly kind: 'warnings'; readonly warnings: readonly Warning[] };

export interface Stepped {
  readonly machine: Machine;
  readonly effects: readonly Effect[];
}

/** Starts a machine from the memory that was saved before, or null when there is none. */
export function startMachine(
  config: MachineConfig,
  saved: Memory | null,
  bootId: string,
  nowMs: number,
): Stepped {
  const recalled = recall(config, saved, bootId, nowMs);
  const memory = saved ? keepIfEqual(saved, recalled) : recalled;
  const known = { ...nothingKnown(nowMs), restartingUntilMs: memory.peerRestartingUntilMs };
  const machine = { config, memory, known, startedMs: nowMs, nowMs, warnings: [] };
  return { machine, effects: effectsOf(saved, memory, [], []) };
}

/** One step. */
export function step(machine: Machine, input: Input): Stepped {
  const { config, startedMs } = machine;
  const nowMs = Math.max(machine.nowMs, input.nowMs);
  const known = learn(machine, input, nowMs);
  const before: Sources = { config, memory: machine.memory, known, startedMs, nowMs };
  const sources: Sources = { ...before, memory: refresh(before) };
  const facts = factsAt(sources);
  const memory = keepIfEqual(machine.memory, settle(sources, facts, judge(facts)));
  const warnings = warningsAt(sources, facts);
  return {
    machine: { config, memory, known, startedMs, nowMs, warnings },
    effects: effectsOf(machine.memory, memory, machine.warnings, warnings),
  };
}

function learn({ config, known }: Machine, input: Input, nowMs: number): Known {
  switch (input.kind) {
    case 'tick':
      return known;
    case 'signals':
      return input.signals.reduce((so, signal) => learnSignal(config, so, signal, nowMs), known);
    case 'peer-state':
      return learnPeerState(known, input.message, nowMs);
    case 'datastore':
      return learnDatastore(known, input.datastore, nowMs);
  }
}

/** What is remembered of the inputs themselves, whatever the verdict. */
function refresh(sources: Sources): Memory {
  return {
    ...sources.memory,
    everHealthy: everHealthy(sources.known, sources.memory.everHealthy),
    linkDownSinceMs: linkDownSince(sources),
    linkUpSinceMs: linkUpSince(sources),
    peerRestartingUntilMs: sources.known.restartingUntilMs,
    proberSilentSinceMs: proberSilentSince(sources),
  };
}

function linkDownSince(sources: Sources): number | null {
  const { memory, known, nowMs } = sources;
  if (known.datastore === null) return memory.linkDownSinceMs;
  if (known.datastore.logLink === 'works' || isPeerRestarting(sources)) return null;
  return memory.linkDownSinceMs ?? nowMs;
}

function linkUpSince({ memory, known, nowMs }: Sources): number | null {
  if (known.datastore === null) return memory.linkUpSinceMs;
  return known.datastore.logLink === 'works' ? (memory.linkUpSinceMs ?? nowMs) : null;
}

function proberSilentSince(sources: Sources): number | null {
  if (isProberSilent(sources)) return lastSignOfLife(sources);
  return sources.known.proberSeenMs === null ? sources.memory.proberSilentSinceMs : null;
}

/** Remembers the verdict, its incident, and the facts that the next step builds on. */
function settle({ config, memory, nowMs }: Sources, facts: Facts, verdict: Verdict | 'unchanged'): Memory {
  const next = verdict === 'unchanged' ? memory.verdict : adopt(memory.verdict, verdict, nowMs);
  // I1: whatever happens, a follower never leads.
  if (config.role === 'follower' && next.state === 'Leader') throw new Error('a follower must never lead');
  return {
    ...memory,
    bootOver: facts.bootOver,
    verdict: next,
    incident:
      facts.prober === 'current' ? incident(memory.incident, facts, next.state, nowMs) : memory.incident,
    peer: facts.peer,
  };
}

/** A verdict that says the same keeps its times and its words. */
function adopt(last: Memory['verdict'], verdict: Verdict, nowMs: number): Memory['verdict'] {
  const { state, reason, check, failure, onsetMs } = verdict;
  if (last.state === state && last.reason === reason && last.check === check) return last;
  const sinceMs = last.state === state ? last.sinceMs : nowMs;
  return { state, reason, check, failure, sinceMs, reasonSinceMs: onsetMs ?? nowMs };
}

/**
 * An incident begins when the node becomes LeaderRX, with all that has failed by then, and takes in a loss of the north-south
 * reach within `incidentWindow`. It is over when the node is Leader or Follower again.
 */
function incident(
  last: Memory['incident'],
  facts: Facts,
  state: NodeState,
  nowMs: number,
): Memory['incident'] {
  if (state === 'Leader' || state === 'Follower') return null;
  if (!last && state !== 'LeaderRX') return null;
  const startMs = last?.startMs ?? nowMs;
  return { startMs, coversNorthSouth: facts.northSouthLost !== null && !facts.furtherFailure };
}

function keepIfEqual(before: Memory, after: Memory): Memory {
  return isDeepStrictEqual(before, after) ? before : after;
}

function effectsOf(
  before: Memory | null,
  after: Memory,
  warned: readonly Warning[],
  warnings: readonly Warning[],
): Effect[] {
  const effects: Effect[] = [];
  if (before !== after) effects.push({ kind: 'persist', memory: after });
  if (before && before.verdict !== after.verdict && !isDeepStrictEqual(before.verdict, after.verdict)) {
    const { state: to, reason, failure, reasonSinceMs } = after.verdict;
    effects.push({ kind: 'enter', from: before.verdict.state, to, reason, failure, reasonSinceMs });
  }
  const about = (list: readonly Warning[]) => list.map((warning) => warning.about).join(' ');
  if (about(warned) !== about(warnings)) effects.push({ kind: 'warnings', warnings });
  return effects;
}
