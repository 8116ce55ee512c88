import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { authorizeKey } from '../../shared/mutation/datastore-write.ts';
import { registryKey } from '../../shared/mutation/registry-key.ts';
import type { MutationVerb } from '../../shared/mutation/request.ts';
import { decide, toMutationRequest } from './decide.ts';
import { type AdmissionRequest, decodeReview } from './review.ts';
import { reviewBody, stateMessage } from './testing/reviews.ts';

/**
 * The promise between webhook and shim: whatever request the webhook allows, the shim lets the write through that results from
 * it. Else a person would be told yes by one and no by the other.
 */

const objects = [
  {
    apiGroup: '',
    resource: 'pods',
    namespaced: true,
    subresources: ['status', 'binding', 'eviction', 'resize'],
  },
  { apiGroup: 'apps', resource: 'deployments', namespaced: true, subresources: ['status', 'scale'] },
  { apiGroup: '', resource: 'nodes', namespaced: false, subresources: ['status'] },
  { apiGroup: '', resource: 'namespaces', namespaced: false, subresources: ['finalize', 'status'] },
  { apiGroup: 'events.k8s.io', resource: 'events', namespaced: true, subresources: [] },
  { apiGroup: '', resource: 'services', namespaced: true, subresources: ['status'] },
  { apiGroup: 'coordination.k8s.io', resource: 'leases', namespaced: true, subresources: [] },
  { apiGroup: 'example.com', resource: 'widgets', namespaced: true, subresources: ['status'] },
  { apiGroup: 'example.com', resource: 'planets', namespaced: false, subresources: [] },
];
const namespaces = ['default', 'kube-system', 'kube-node-lease'];
const names = ['a', 'b', 'apiserver-a'];
const users = ['system:admin', 'alice'];
const groups = ['system:masters', 'system:nodes'];
const classes = ['low', 'high'];
const priorities = [-5, 0, 1_000_000];
const patterns = [
  '*',
  '*/*',
  '*/status',
  ...objects.flatMap(({ resource, subresources }) => [
    resource,
    `${resource}/*`,
    ...subresources.map((subresource) => `${resource}/${subresource}`),
  ]),
];
const verbs: MutationVerb[] = ['create', 'update', 'delete'];

/** Mostly absent: a rule with all fields allows next to nothing, and the property would say little. */
const seldom = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const some = <T>(values: T[]) => seldom(fc.subarray(values, { minLength: 1 }));
const rule = fc.record({
  apiGroups: some(['*', '', 'apps', 'events.k8s.io', 'example.com']),
  resources: fc.subarray(patterns, { minLength: 1, maxLength: 4 }),
  namespaces: some(namespaces),
  names: some(names),
  verbs: some([...verbs, '*' as const]),
  minPriority: seldom(fc.constantFrom(...priorities)),
  priorityClasses: some(classes),
  users: some(users),
  groups: some(groups),
});

/** What of an object's metadata decides whether an update deletes it. */
interface Fate {
  deletionTimestamp?: string | undefined;
  deletionGracePeriodSeconds?: number | undefined;
  finalizers?: string[] | undefined;
}
const fate: fc.Arbitrary<Fate> = fc.record({
  deletionTimestamp: fc.option(fc.constant('2026-01-02T12:00:00Z'), { nil: undefined }),
  deletionGracePeriodSeconds: fc.constantFrom(undefined, 0, 30),
  finalizers: fc.constantFrom(undefined, [], ['example.com/wait']),
});

const request = fc.constantFrom(...objects).chain((kind) =>
  fc
    .record({
      operation: fc.constantFrom('CREATE', 'UPDATE', 'DELETE'),
      subResource: fc.constantFrom('', ...kind.subresources),
      namespace: kind.namespaced ? fc.constantFrom(...namespaces) : fc.constant(''),
      name: fc.constantFrom(...names, ''),
      username: fc.constantFrom(...users),
      groups: fc.subarray(groups),
      priority: fc.constantFrom(...priorities),
      priorityClassName: fc.constantFrom('', ...classes),
      before: fate,
      after: fate,
    })
    .map(({ username, groups, priority, priorityClassName, before, after, ...asked }) => {
      const object = (metadata: Fate) => ({
        metadata: { name: asked.name, ...metadata },
        spec:
          kind.resource === 'deployments'
            ? { template: { spec: { containers: [], priorityClassName } } }
            : { priority, priorityClassName },
      });
      return reviewed({
        ...asked,
        resource: { group: kind.apiGroup, version: 'v1', resource: kind.resource },
        userInfo: { username, groups },
        object: asked.operation === 'DELETE' ? null : object(after),
        oldObject: asked.operation === 'CREATE' ? null : object(before),
      });
    }),
);

function reviewed(change: Record<string, unknown>): AdmissionRequest {
  const review = decodeReview(reviewBody(change));
  if (!review.ok) throw new Error(review.error);
  return review.request;
}

/** The verbs that the datastore may see for a request, see kube-apiserver's registry: finalizers, grace, bindings, evictions. */
function verbsAtDatastore(asked: AdmissionRequest): MutationVerb[] {
  const { operation, subResource } = asked;
  if (subResource === 'eviction' || subResource === 'finalize') return ['update', 'delete'];
  if (subResource !== '') return updateDeletes(asked) ? ['delete'] : ['update'];
  return operation === 'CREATE' ? ['create'] : ['update', 'delete'];
}

/** ShouldDeleteDuringUpdate of kube-apiserver, line by line. */
function updateDeletes({ operation, object, oldObject }: AdmissionRequest): boolean {
  if (operation !== 'UPDATE') return false;
  if ((object?.metadata?.finalizers ?? []).length > 0) return false;
  if (oldObject?.metadata?.deletionTimestamp == null) return false;
  const grace = oldObject.metadata.deletionGracePeriodSeconds;
  return grace == null || grace === 0;
}

/** Alone; and read-only beside a peer on which leaders are elected. */
const states = [
  stateMessage(),
  stateMessage({
    state: 'Impaired',
    peer: { node: 'node-a', state: 'LeaderRX', reason: 'peer-impaired', heard: true, age_ms: 0 },
  }),
];

const classValue = (name: string) => (name === 'high' ? 1_000_000 : 0);

test('whatever request the webhook allows, the shim lets the write through', () => {
  let allowed = 0;
  const rulesOf = fc.array(rule, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.constantFrom(...states), rulesOf, request, (said, rules, asked) => {
      const list = rules.map((each) => ({ rule: each, builtIn: false, origin: 'test' }));
      const lists = { approvedMutationList: list, impairedMutationList: list };
      const { kind } = decide(said, { lists, classValue }, asked);
      if (kind === 'refused') return;
      allowed++;
      const { group, resource } = asked.resource;
      const { namespace = '' } = toMutationRequest(asked, classValue) ?? {};
      const name = asked.name || 'chosen-by-the-apiserver';
      const key = registryKey({ apiGroup: group, resource, namespace, name });
      const value = Buffer.from(JSON.stringify(asked.object ?? {}));
      for (const verb of verbsAtDatastore(asked)) {
        const verdict = authorizeKey(said.state, lists, { key, verb, value }, said.peer);
        assert.ok(verdict.allowed, `${verb} ${key}`);
      }
    }),
    { numRuns: 20_000 },
  );
  assert.ok(allowed > 1_000, `only ${allowed} requests were allowed: the property says little`);
});

test.run();
