/** What the configuration says a node is. It never changes by itself. */
export const roles = ['leader', 'follower'] as const;
export type Role = (typeof roles)[number];

/**
 * What a node may do now.
 *
 * - `Leader` takes all writes.
 * - `Follower` serves reads from its own copy and passes writes on to the leader.
 * - `LeaderRX` takes only writes on the `approvedMutationList`.
 * - `Impaired` takes only writes on the `impairedMutationList`.
 */
export const nodeStates = ['Leader', 'Follower', 'LeaderRX', 'Impaired'] as const;
export type NodeState = (typeof nodeStates)[number];

/** The states in which only listed writes are allowed. */
export type RestrictedState = Extract<NodeState, 'LeaderRX' | 'Impaired'>;

export function isRestricted(state: NodeState): state is RestrictedState {
  return state === 'LeaderRX' || state === 'Impaired';
}
