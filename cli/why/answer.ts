import type { PeerView, StateMessage } from '../../shared/messages.ts';
import { authorize, listOf } from '../../shared/mutation/authorize.ts';
import type { ListedRule, MutationLists } from '../../shared/mutation/lists.ts';
import { describeObject, refusalIn } from '../../shared/mutation/refusal.ts';
import type { MutationRequest } from '../../shared/mutation/request.ts';
import { ruleMatches } from '../../shared/mutation/rule.ts';
import { isRestricted, type NodeState } from '../../shared/node.ts';

/** The answer for one node. */
export interface Answer {
  allowed: boolean;
  text: string;
}

/** What is missing, where a rule would allow the request with another priority or for somebody else. */
function nearMisses(rules: readonly ListedRule[], request: MutationRequest): string[] {
  const unlessFor = (part: Partial<MutationRequest>) =>
    rules.filter(({ rule }) => ruleMatches(rule, { ...request, ...part }));
  const byPriority = unlessFor({ priority: undefined, priorityClass: undefined });
  if (byPriority.length > 0) {
    return byPriority.map(({ origin, rule: { minPriority, priorityClasses = [] } }) => {
      const wanted = [
        ...(minPriority === undefined ? [] : [`a priority of ${minPriority} or more`]),
        ...(priorityClasses.length === 0 ? [] : [`the priority class ${priorityClasses.join(' or ')}`]),
      ];
      return `rule "${origin}" would, with ${wanted.join(' and ')}`;
    });
  }
  // The built-in ones are for the control plane, which is nobody that a person could be.
  return unlessFor({ user: undefined, groups: undefined }).flatMap(
    ({ origin, builtIn, rule: { users = [], groups = [] } }) =>
      builtIn ? [] : [`rule "${origin}" would, for ${[...users, ...groups].join(', ')}`],
  );
}

/**
 * What a node in this state does with the request, by the function that its shim and webhook ask.
 * @param peer what the node knows of its peer; null where that is not asked
 */
export function answerIn(
  state: NodeState,
  lists: MutationLists,
  request: MutationRequest,
  peer: PeerView | null = null,
): Answer {
  const verdict = authorize(state, lists, request, peer);
  const what = `${request.verb.toUpperCase()} ${describeObject(request)} as ${request.user}`;
  if (!verdict.allowed && verdict.electsOn !== undefined)
    return { allowed: false, text: `no. ${state}: leader election is on ${verdict.electsOn}; ${what}` };
  if (!verdict.allowed) {
    const rules = lists[verdict.list];
    const lines = [`no. ${state}: none of the ${rules.length} rules of ${verdict.list} allows ${what}`];
    return { allowed: false, text: [...lines, ...nearMisses(rules, request)].join('\n  ') };
  }
  if (verdict.rule)
    return { allowed: true, text: `yes. ${state}: rule "${verdict.rule.origin}" allows ${what}` };
  const why = isRestricted(state) ? 'it stores nothing' : 'everything is allowed';
  return { allowed: true, text: `yes. ${state}: ${why}` };
}

/** The same for the state that a node told, and for a refusal the sentence that its webhook would say now. */
export function answerNow(
  said: StateMessage,
  lists: MutationLists,
  request: MutationRequest,
  nowMs: number,
): Answer {
  const answer = answerIn(said.state, lists, request, said.peer);
  if (answer.allowed || !isRestricted(said.state)) return answer;
  const sentence = refusalIn(said, request, listOf[said.state], nowMs);
  return { allowed: false, text: `${answer.text}\n  kubectl prints: ${sentence}` };
}
