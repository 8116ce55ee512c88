import { InvalidArgumentError } from 'commander';
import { UserError } from '../../shared/lifecycle.ts';
import { systemClassValue } from '../../shared/mutation/priority-classes.ts';
import type { MutationRequest, MutationVerb } from '../../shared/mutation/request.ts';
import { builtInNames, findResource, type NamedResource, parseName } from './resource-names.ts';

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

/** A question whose resource is not known yet, only what was typed. */
export type TypedQuestion = Omit<Question, 'type'> & { typed: string };

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

/** All subresources that kube-apiserver 1.37 takes writes on. */
const subresources = new Set([
  'approval',
  'binding',
  'ephemeralcontainers',
  'eviction',
  'finalize',
  'resize',
  'scale',
  'status',
  'token',
]);

/**
 * Reads `pods/eviction` as a resource with its subresource, and `deploy/web` as kubectl does: a resource and a name.
 * @throws UserError when a name is typed twice
 */
export function splitTyped(
  typed: string,
  name: string | undefined,
): { type: string; name: string | undefined } {
  const [type = '', behind] = typed.split('/');
  if (behind === undefined || subresources.has(behind.toLowerCase())) return { type: typed, name };
  if (name === undefined) return { type, name: behind };
  const known = [...subresources].join(', ');
  throw new UserError(`"${behind}" is no subresource (${known}), and a name is there already: ${name}`);
}

/**
 * Reads a resource as kubectl takes it, with a subresource behind a slash: `deployments`, `deploy`, `Deployment.apps`,
 * `widgets.example.com`, `pods/eviction`.
 *
 * @param discover asks a kube-apiserver for what is not built in; rejects when none can be asked
 * @throws UserError when nobody knows it
 */
export async function resolveType(
  typed: string,
  discover: () => Promise<NamedResource[]>,
): Promise<ResourceType> {
  const [type = '', subresource = ''] = typed.toLowerCase().split('/');
  const asked = parseName(type);
  const known = findResource(builtInNames, asked);
  if (known) return typeOf(known, subresource);
  const discovered = await discover().catch((error: Error) => error);
  if (!(discovered instanceof Error)) {
    const found = findResource(discovered, asked);
    if (found) return typeOf(found, subresource);
    throw new UserError(`the kube-apiserver has no resource "${type}"`);
  }
  // With its group it can be judged without being known; it is then a plural, as in a rule.
  if (asked.apiGroup?.includes('.'))
    return { apiGroup: asked.apiGroup, resource: asked.name, subresource, namespaced: true };
  throw new UserError(
    `"${type}" is not built in, and no kube-apiserver can be asked (${discovered.message}): expected a resource such as ` +
      'deployments, or with its group, such as widgets.example.com',
  );
}

function typeOf({ apiGroup, resource, namespaced }: NamedResource, subresource: string): ResourceType {
  return { apiGroup, resource, subresource, namespaced };
}
