import type { NodeState } from '../../shared/node.ts';
import { type NodeName, nodeNames } from './network.ts';
import type { Row } from './rows.ts';

/** The states that each node went through, each with the milliseconds from the fault on. */
export type Passed = Record<NodeName, { state: NodeState; afterMs: number }[]>;

/** A node must go straight to its state: tells what else it was. */
export function detours({ states }: Pick<Row, 'states'>, passed: Passed): string[] {
  return nodeNames.flatMap((node) =>
    passed[node]
      .filter(({ state }) => state !== states[node])
      .map(({ state, afterMs }) => `${node} was ${state} after ${afterMs} ms`),
  );
}

/**
 * Tells which nodes took longer than the row allows.
 * @param reachedMs from the fault until all was as the row says: it counts where a node changes no state of its own
 */
export function lateNodes(
  { withinMs = Number.POSITIVE_INFINITY, states, warning }: Pick<Row, 'states' | 'warning' | 'withinMs'>,
  passed: Passed,
  reachedMs: number,
): string[] {
  return nodeNames.flatMap((node) => {
    const isTold = states[node] === 'off' || warning?.node === node;
    const tookMs = passed[node].at(-1)?.afterMs ?? (isTold ? reachedMs : 0);
    const limitMs = typeof withinMs === 'number' ? withinMs : withinMs[node];
    return tookMs <= limitMs ? [] : [`${node} took ${tookMs} ms, more than ${limitMs}`];
  });
}
