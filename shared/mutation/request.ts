export const mutationVerbs = ['create', 'update', 'delete'] as const;
export type MutationVerb = (typeof mutationVerbs)[number];

/**
 * A write that somebody wants to make, as far as the judge can see it. The webhook sees all of it, the datastore only a key
 * and a value. What cannot be known is `undefined`, and no rule is judged by it; what is known to be absent is `''`, or `null`.
 */
export interface MutationRequest {
  verb: MutationVerb;
  /** `''` is the core group. */
  apiGroup: string | undefined;
  /** In the plural, as in the URL: `deployments`. */
  resource: string;
  /** `''` for the object itself. Undefined at the datastore, where one key holds the object and its status. */
  subresource?: string | undefined;
  /** `''` for cluster-scoped objects. */
  namespace: string;
  /** `''` when the apiserver will choose it (`generateName`). */
  name: string;
  user?: string | undefined;
  groups?: readonly string[] | undefined;
  /** Priority of the pod, or of the pods of the template. `null`: the object has no pods, or their priority is not known to anyone. */
  priority?: number | null | undefined;
  /** Priority class of the pod or the template; `''` when it has none. */
  priorityClass?: string | undefined;
}

/** Whether the request comes from the datastore, where subresources and users are not seen. */
export function seenAtDatastore(request: MutationRequest): boolean {
  return request.subresource === undefined;
}
