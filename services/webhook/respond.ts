import type { StateMessage } from '../../shared/messages.ts';
import { refusalIn } from '../../shared/mutation/refusal.ts';
import type { Decision } from './decide.ts';
import { reviewApiVersion } from './review.ts';

/** The answer to a review, as kube-apiserver reads it. */
export interface AdmissionReviewAnswer {
  apiVersion: typeof reviewApiVersion;
  kind: 'AdmissionReview';
  response: {
    uid: string;
    allowed: boolean;
    status?: Record<string, unknown>;
    auditAnnotations?: Record<string, string>;
    warnings?: string[];
  };
}

/** The answer to the review with this uid. */
export function respond(uid: string, decision: Decision, nowMs: number): AdmissionReviewAnswer {
  const response = decision.kind === 'allowed' ? allow(decision) : refuse(decision, nowMs);
  return { apiVersion: reviewApiVersion, kind: 'AdmissionReview', response: { uid, ...response } };
}

function allow({ state, verdict }: Extract<Decision, { kind: 'allowed' }>) {
  if (state === null) {
    return {
      allowed: true,
      auditAnnotations: { state: 'unknown' },
      warnings: ['twonode: the webhook does not know the state of this node now; the datastore decides'],
    };
  }
  const annotations = { state: state.state, ...(verdict.rule ? { rule: verdict.rule.origin } : {}) };
  const answer = { allowed: true, auditAnnotations: annotations };
  const label = warningLabel(state, verdict);
  return label === null ? answer : { ...answer, warnings: [label] };
}

/** What a person reads who writes by a rule of the impairedMutationList that is not built in; else null. At most 256 characters reach them. */
export function warningLabel(
  { state, node }: Pick<StateMessage, 'state' | 'node'>,
  { rule }: Extract<Decision, { kind: 'allowed' }>['verdict'],
): string | null {
  if (state !== 'Impaired' || !rule || rule.builtIn) return null;
  return `Impaired: ${node} wrote this by ${rule.origin}; a change on the other node may replace it when they meet again`;
}

function refuse({ state, verdict, asked }: Extract<Decision, { kind: 'refused' }>, nowMs: number) {
  const since = state.reason_since ?? state.since;
  const message = refusalIn(state, asked, verdict.list, nowMs);
  return {
    allowed: false,
    status: {
      code: 403,
      reason: 'Forbidden',
      message,
      details: {
        name: asked.name,
        group: asked.apiGroup,
        kind: asked.resource,
        causes: [
          { reason: 'TwoNodeState', message: state.state },
          { reason: 'TwoNodeReason', message: state.reason ?? '' },
          { reason: 'TwoNodeSince', message: since },
          { reason: 'TwoNodeList', message: verdict.list },
        ],
      },
    },
    auditAnnotations: { state: state.state, refused: verdict.list },
  };
}
