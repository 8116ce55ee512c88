import type { StateMessage } from '../../shared/messages.ts';
import { authorize, type Verdict } from '../../shared/mutation/authorize.ts';
import type { MutationLists } from '../../shared/mutation/lists.ts';
import type { PriorityClassValue } from '../../shared/mutation/priority-classes.ts';
import type { MutationRequest } from '../../shared/mutation/request.ts';
import { takesLastFinalizer } from './last-finalizer.ts';
import { requestedPriority } from './pods-of.ts';
import type { AdmissionRequest } from './review.ts';

/** What comes out of a review. */
export type Decision =
  /** `state` is null when no fresh state is known: then the datastore alone decides. */
  | { kind: 'allowed'; state: StateMessage | null; verdict: Extract<Verdict, { allowed: true }> }
  | {
      kind: 'refused';
      state: StateMessage;
      verdict: Extract<Verdict, { allowed: false }>;
      asked: MutationRequest;
    };

export interface Policy {
  lists: MutationLists;
  classValue: PriorityClassValue;
}

/** Judges a request by the state of the node; without a fresh state it is let through, for the datastore enforces. */
export function decide(
  state: StateMessage | null,
  { lists, classValue }: Policy,
  request: AdmissionRequest,
): Decision {
  const asked = toMutationRequest(request, classValue);
  if (state === null || asked === null) return { kind: 'allowed', state, verdict: { allowed: true } };
  const verdict = authorize(state.state, lists, asked, state.peer);
  if (verdict.allowed) return { kind: 'allowed', state, verdict };
  return { kind: 'refused', state, verdict, asked };
}

/** The request as the mutation lists see it: named as the object is stored. Null for what is no write (CONNECT). */
export function toMutationRequest(
  request: AdmissionRequest,
  classValue: PriorityClassValue,
): MutationRequest | null {
  const { operation, resource, userInfo } = request;
  if (operation === 'CONNECT') return null;
  const isNamespace = resource.group === '' && resource.resource === 'namespaces';
  return {
    verb: ({ CREATE: 'create', UPDATE: 'update', DELETE: 'delete' } as const)[operation],
    apiGroup: resource.group,
    ...writtenResource(request),
    // The apiserver says that a Namespace is in itself; it is cluster-scoped.
    namespace: isNamespace ? '' : request.namespace,
    name: request.name || request.object?.metadata?.name || request.oldObject?.metadata?.name || '',
    user: userInfo.username,
    groups: userInfo.groups,
    ...requestedPriority(request, classValue),
  };
}

/**
 * The old way to bind a pod, a Binding of its own, is the same write as the subresource. And a write to the status by which
 * the object goes is a write to the object: at the datastore it is a deletion, which a rule on the status does not allow.
 */
function writtenResource(request: AdmissionRequest) {
  const {
    resource: { group, resource },
    subResource,
  } = request;
  if (takesLastFinalizer(request)) return { resource, subresource: '' };
  if (group === '' && resource === 'bindings') return { resource: 'pods', subresource: 'binding' };
  return { resource, subresource: subResource };
}
