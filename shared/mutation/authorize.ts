import type { PeerView } from '../messages.ts';
import { isRestricted, type NodeState, type RestrictedState } from '../node.ts';
import { electsOn, isElectionLease } from './election-lease.ts';
import type { ListedRule, MutationLists } from './lists.ts';
import type { MutationRequest } from './request.ts';
import { ruleMatches } from './rule.ts';
import { isStored } from './stored.ts';

/** The list that counts in a restricted state, under its name in the configuration. */
export const listOf = {
  LeaderRX: 'approvedMutationList',
  Impaired: 'impairedMutationList',
} as const satisfies Record<RestrictedState, keyof MutationLists>;
export type ListName = (typeof listOf)[RestrictedState];

export type Verdict =
  /** `rule` is the first that allowed it; absent where everything is allowed. */
  | { allowed: true; rule?: ListedRule }
  /** `list` is where a rule is missing; with `electsOn` none would help: leader election is held on that node. */
  | { allowed: false; list: ListName; electsOn?: string };
export type Refused = Extract<Verdict, { allowed: false }>;

const everything: Verdict = Object.freeze({ allowed: true });

/**
 * Whether a node in `state` may make this write. Shim and webhook both ask here.
 * @param peer what the node knows of its peer; null where that is not asked
 */
export function authorize(
  state: NodeState,
  lists: MutationLists,
  request: MutationRequest,
  peer: PeerView | null = null,
): Verdict {
  if (!isRestricted(state) || !isStored(request)) return everything;
  const list = listOf[state];
  const elected = electsOn(state, peer);
  if (elected !== null && isElectionLease(request)) return { allowed: false, list, electsOn: elected };
  const rule = lists[list].find((listed) => ruleMatches(listed.rule, request));
  return rule ? { allowed: true, rule } : { allowed: false, list };
}
