import type { StateMessage } from '../../shared/messages.ts';
import { authorize, listOf } from '../../shared/mutation/authorize.ts';
import type { MutationLists } from '../../shared/mutation/lists.ts';
import { describeObject, refusalIn } from '../../shared/mutation/refusal.ts';
import type { MutationRequest } from '../../shared/mutation/request.ts';
import { isRestricted, type NodeState } from '../../shared/node.ts';

/** The answer for one node. */
export interface Answer {
  allowed: boolean;
  text: string;
}

/** What a node in this state does with the request, by the function that its shim and webhook ask. */
export function answerIn(state: NodeState, lists: MutationLists, request: MutationRequest): Answer {
  const verdict = authorize(state, lists, request);
  const what = `${request.verb.toUpperCase()} ${describeObject(request)} as ${request.user}`;
  if (!verdict.allowed) {
    const rules = `none of the ${lists[verdict.list].length} rules of ${verdict.list}`;
    return { allowed: false, text: `no. ${state}: ${rules} allows ${what}` };
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
  const answer = answerIn(said.state, lists, request);
  if (answer.allowed || !isRestricted(said.state)) return answer;
  const sentence = refusalIn(said, request, listOf[said.state], nowMs);
  return { allowed: false, text: `${answer.text}\n  kubectl prints: ${sentence}` };
}
