import type { MutationRequest } from './request.ts';

/** Groups whose objects are questions: they are created, answered and never stored. */
const questionGroups = new Set(['authentication.k8s.io', 'authorization.k8s.io']);

/**
 * Whether the request writes to the datastore at all. `kubectl auth whoami`, `auth can-i` and `create token` are CREATE
 * requests too, but nothing is stored, so there is nothing to restrict.
 */
export function isStored({ apiGroup, resource, subresource }: MutationRequest): boolean {
  if (apiGroup !== undefined && questionGroups.has(apiGroup)) return false;
  return !(resource === 'serviceaccounts' && subresource === 'token');
}
