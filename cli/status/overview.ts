import type { StateMessage } from '../../shared/messages.ts';
import type { NodeState, Role } from '../../shared/node.ts';

export type Health = 'healthy' | 'restricted' | 'impaired' | 'unknown';

/** Exit status of `twonode status`. */
export const exitStatusOf: Record<Health, number> = { healthy: 0, restricted: 1, impaired: 2, unknown: 3 };

/** One node as status shows it. */
export interface NodeOverview {
  node: string;
  role: Role;
  /** Null when neither the node nor its peer can say. */
  state: NodeState | null;
  /** What the node said of itself; null when it did not answer. */
  said: StateMessage | null;
}

export interface Overview {
  health: Health;
  nodes: NodeOverview[];
}

/**
 * Makes one picture of what the shims said. A node that does not answer is shown as its peer sees it, and its role is
 * the one the peer has not.
 */
export function overviewOf(states: StateMessage[]): Overview {
  const nodes = states.map((said): NodeOverview => {
    return { node: said.node, role: said.role, state: said.state, said };
  });
  const only = states[0];
  if (states.length === 1 && only) {
    const role = only.role === 'leader' ? 'follower' : 'leader';
    nodes.push({ node: only.peer.node, role, state: only.peer.state, said: null });
  }
  nodes.sort((left, right) => left.node.localeCompare(right.node));
  return { health: healthOf(nodes), nodes };
}

function healthOf(nodes: NodeOverview[]): Health {
  const states = nodes.map(({ state }) => state);
  if (states.length === 0 || states.includes(null)) return 'unknown';
  if (states.includes('Impaired')) return 'impaired';
  return states.includes('LeaderRX') ? 'restricted' : 'healthy';
}
