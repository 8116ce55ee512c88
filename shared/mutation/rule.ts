import type { MutationRule } from '../config/schema.ts';
import { type MutationRequest, type MutationVerb, seenAtDatastore } from './request.ts';

/**
 * Whether a rule allows a request. All fields must match; a field that is absent or empty matches everything, as in an audit
 * policy. `users` and `groups` are one field, "who", as the subjects of an RBAC binding: one of them is enough.
 *
 * At the datastore the parts of the rule which cannot be seen there count as matching. So whatever request the webhook
 * allows, the write that results from it passes the shim by the same rule.
 */
export function ruleMatches(rule: MutationRule, request: MutationRequest): boolean {
  return (
    whatMatches(rule, request) &&
    unknownOrListed(rule.apiGroups, request.apiGroup) &&
    listed(rule.namespaces, request.namespace) &&
    listed(rule.names, request.name) &&
    whoMatches(rule, request) &&
    priorityMatches(rule, request)
  );
}

/** Resource and verb belong together: at the datastore a subresource's verb is another one than the object's. */
function whatMatches(rule: MutationRule, request: MutationRequest): boolean {
  return rule.resources.some((pattern) =>
    seenAtDatastore(request)
      ? patternAllowsWrite(pattern, rule.verbs, request)
      : patternMatches(pattern, request.resource, request.subresource ?? '') &&
        listed(rule.verbs, request.verb),
  );
}

/**
 * `*` is every object and every subresource, as in RBAC; `pods` the object alone; `pods/status` one subresource, `pods/*` all
 * of them, and `*` before the slash any resource, as in the rules of a webhook.
 */
function patternMatches(pattern: string, resource: string, subresource: string): boolean {
  if (pattern === '*' || pattern === '*/*') return true;
  const [ofResource, ofSubresource = ''] = pattern.split('/');
  if (ofResource !== '*' && ofResource !== resource) return false;
  return ofSubresource === '*' ? subresource !== '' : ofSubresource === subresource;
}

/** Subresources whose request can end in the deletion of the object. */
const deletingSubresources = new Set(['*', 'eviction', 'finalize']);

function patternAllowsWrite(pattern: string, verbs: MutationRule['verbs'], request: MutationRequest) {
  const [ofResource, ofSubresource] = pattern.split('/');
  if (ofResource !== '*' && ofResource !== request.resource) return false;
  const objectAllowed = ofSubresource === undefined || pattern === '*/*';
  if (objectAllowed && verbAllowsWrite(verbs, request.verb)) return true;
  const subresource = pattern === '*' ? '*' : ofSubresource;
  if (subresource === undefined) return false;
  // `create pods/binding` changes the pod, `create pods/eviction` changes or deletes it: none creates one.
  if (request.verb === 'delete') return deletingSubresources.has(subresource);
  return request.verb === 'update';
}

/**
 * At the datastore update and delete are one verb: a deletion that waits for finalizers or for the grace period of a pod is
 * stored as an update, and the update that takes away the last finalizer is stored as a deletion.
 */
function verbAllowsWrite(verbs: MutationRule['verbs'], verb: MutationVerb): boolean {
  if (verb === 'create') return listed(verbs, 'create');
  return listed(verbs, 'update') || listed(verbs, 'delete');
}

function listed(values: readonly string[] | undefined, value: string): boolean {
  return values === undefined || values.length === 0 || values.includes('*') || values.includes(value);
}

function unknownOrListed(values: readonly string[] | undefined, value: string | undefined): boolean {
  return value === undefined || listed(values, value);
}

function whoMatches({ users = [], groups = [] }: MutationRule, request: MutationRequest): boolean {
  if (users.length === 0 && groups.length === 0) return true;
  if (request.user === undefined || request.groups === undefined) return true;
  return (
    users.includes('*') ||
    users.includes(request.user) ||
    groups.some((group) => group === '*' || request.groups?.includes(group))
  );
}

function priorityMatches(rule: MutationRule, { priority, priorityClass }: MutationRequest): boolean {
  if (rule.minPriority !== undefined && priority !== undefined) {
    if (priority === null || priority < rule.minPriority) return false;
  }
  return unknownOrListed(rule.priorityClasses, priorityClass);
}

/** Whether a rule judges the priority of pods that are created: only then must the stored pod be read. */
export function judgesPodPriority(rule: MutationRule): boolean {
  const byPriority = rule.minPriority !== undefined || (rule.priorityClasses ?? []).length > 0;
  return byPriority && rule.resources.some((pattern) => patternMatches(pattern, 'pods', ''));
}
