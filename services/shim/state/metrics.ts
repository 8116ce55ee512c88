import { Counter, Gauge, type Registry } from 'prom-client';
import { type NodeState, nodeStates } from '../../../shared/node.ts';

export interface StateMetrics {
  transition(from: NodeState, to: NodeState): void;
  malformed(): void;
}

/** Metrics of the state machine. */
export function registerStateMetrics(
  registry: Registry,
  current: () => { state: NodeState; sinceMs: number },
): StateMetrics {
  const registers = [registry];
  const state: Gauge = new Gauge({
    name: 'twonode_state',
    help: 'The state of this node: 1 for the one in force.',
    labelNames: ['state'],
    registers,
    collect: () => {
      for (const name of nodeStates) state.set({ state: name }, name === current().state ? 1 : 0);
    },
  });
  const since: Gauge = new Gauge({
    name: 'twonode_state_since_seconds',
    help: 'When the state was entered, in seconds since the Unix epoch.',
    registers,
    collect: () => since.set(current().sinceMs / 1_000),
  });
  const transitions = new Counter({
    name: 'twonode_state_transitions_total',
    help: 'Changes of state.',
    labelNames: ['from', 'to'],
    registers,
  });
  const malformed = new Counter({
    name: 'twonode_malformed_messages_total',
    help: 'NATS messages that could not be read and were ignored.',
    registers,
  });
  return {
    transition: (from, to) => {
      if (from !== to) transitions.inc({ from, to });
    },
    malformed: () => malformed.inc(),
  };
}
