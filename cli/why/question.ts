import { InvalidArgumentError } from 'commander';
import { builtInResources } from '../../shared/mutation/built-in-resources.ts';
import { systemClassValue } from '../../shared/mutation/priority-classes.ts';
import type { MutationRequest, MutationVerb } from '../../shared/mutation/request.ts';

/** What `twonode why` is asked. */
export interface Question {
  verb: MutationVerb;
  type: ResourceType;
  /** `web`, or `shop/web` with its namespace. */
  name?: string | undefined;
  namespace: string;
  user: string;
  groups: string[];
  priority?: number | undefined;
  priorityClass: string;
}

export interface ResourceType {
  apiGroup: string;
  resource: string;
  /** `''` for the object itself. */
  subresource: string;
  namespaced: boolean;
}

/** What people call the verbs of a mutation. Null: it only reads. */
const verbs: Record<string, MutationVerb | null> = {
  create: 'create',
  update: 'update',
  patch: 'update',
  replace: 'update',
  delete: 'delete',
  get: null,
  list: null,
  watch: null,
};

/** @throws InvalidArgumentError */
export function parseVerb(typed: string): MutationVerb | null {
  const verb = verbs[typed.toLowerCase()];
  if (verb === undefined) throw new InvalidArgumentError('expected create, update, patch or delete.');
  return verb;
}

/** Resources whose objects are pods, or hold a template for some: only these have a priority. */
const withPods = new Set([
  'pods',
  'podtemplates',
  'replicationcontrollers',
  'deployments',
  'daemonsets',
  'replicasets',
  'statefulsets',
  'jobs',
  'cronjobs',
]);

/** The request that would come of it, as the webhook would see it. */
export function requestOf(question: Question): MutationRequest {
  const { verb, type, user, groups } = question;
  return {
    verb,
    apiGroup: type.apiGroup,
    resource: type.resource,
    subresource: type.subresource,
    ...placeOf(question),
    user,
    groups,
    ...priorityOf(question),
  };
}

function placeOf({ type: { namespaced }, name = '', namespace }: Question) {
  const [first = '', second] = name.split('/');
  if (!namespaced) return { namespace: '', name };
  return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
}

function priorityOf({ type, priority, priorityClass }: Question) {
  const hasPods = withPods.has(type.resource) && (type.subresource === '' || type.subresource === 'status');
  if (!hasPods) return { priority: null, priorityClass: '' };
  return { priority: priority ?? systemClassValue(priorityClass), priorityClass };
}

/**
 * Reads `resource[.group][/subresource]`: `deployments`, `widgets.example.com`, `pods/eviction`. A resource of a CRD must have
 * its group.
 * @throws InvalidArgumentError
 */
export function parseType(typed: string): ResourceType {
  const [type = '', subresource = ''] = typed.toLowerCase().split('/');
  const dot = type.indexOf('.');
  const resource = dot < 0 ? type : type.slice(0, dot);
  const apiGroup = dot < 0 ? undefined : type.slice(dot + 1);
  const known = [...builtInResources.values()].find(
    (each) =>
      each.resource === resource && (apiGroup === undefined || (each.apiGroup ?? apiGroup) === apiGroup),
  );
  if (known) {
    // Events belong to two groups; kubectl writes those of the core.
    return { ...known, apiGroup: known.apiGroup ?? apiGroup ?? '', subresource };
  }
  if (apiGroup?.includes('.')) return { apiGroup, resource, subresource, namespaced: true };
  throw new InvalidArgumentError(
    'expected a resource in the plural, such as deployments or widgets.example.com.',
  );
}
