import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { authorize } from './authorize.ts';
import { authorizeKey } from './datastore-write.ts';
import { registryKey } from './registry-key.ts';
import type { MutationRequest, MutationVerb } from './request.ts';
import { isStored } from './stored.ts';

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
  { apiGroup: 'example.com', resource: 'widgets', namespaced: true, subresources: ['status'] },
  { apiGroup: 'example.com', resource: 'planets', namespaced: false, subresources: [] },
];
const namespaces = ['default', 'kube-system'];
const names = ['a', 'b'];
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

const some = <T>(values: T[]) => fc.option(fc.subarray(values, { minLength: 1 }), { nil: undefined });
const rule = fc.record({
  apiGroups: some(['*', '', 'apps', 'events.k8s.io', 'example.com']),
  resources: fc.subarray(patterns, { minLength: 1, maxLength: 4 }),
  namespaces: some(namespaces),
  names: some(names),
  verbs: some([...verbs, '*' as const]),
  minPriority: fc.option(fc.constantFrom(...priorities), { nil: undefined }),
  priorityClasses: some(classes),
  users: some(users),
  groups: some(groups),
});

const request: fc.Arbitrary<MutationRequest> = fc.constantFrom(...objects).chain((object) =>
  fc.record({
    verb: fc.constantFrom(...verbs),
    apiGroup: fc.constant(object.apiGroup),
    resource: fc.constant(object.resource),
    subresource: fc.constantFrom('', ...object.subresources),
    namespace: object.namespaced ? fc.constantFrom(...namespaces) : fc.constant(''),
    name: fc.constantFrom(...names, ''),
    user: fc.constantFrom(...users),
    groups: fc.subarray(groups),
    priority: fc.constantFrom(null, ...priorities),
    priorityClass: fc.constantFrom('', ...classes),
  }),
);

/** The verbs that the datastore may see for a request, see kube-apiserver's registry: finalizers, grace, bindings, evictions. */
function verbsAtDatastore({ verb, subresource }: MutationRequest): MutationVerb[] {
  if (subresource === 'eviction' || subresource === 'finalize') return ['update', 'delete'];
  if (subresource !== '') return ['update'];
  return verb === 'create' ? ['create'] : ['update', 'delete'];
}

function podAsStored({ priority, priorityClass }: MutationRequest): Buffer {
  return Buffer.from(JSON.stringify({ spec: { priority: priority ?? 0, priorityClassName: priorityClass } }));
}

test('whatever request the webhook allows, the shim lets the write through', () => {
  fc.assert(
    fc.property(fc.array(rule, { minLength: 1, maxLength: 5 }), request, (rules, asked) => {
      const list = rules.map((each) => ({ rule: each, builtIn: false, origin: 'test' }));
      const lists = { approvedMutationList: list, impairedMutationList: list };
      if (!isStored(asked) || !authorize('LeaderRX', lists, asked).allowed) return;
      const key = registryKey({ ...asked, name: asked.name || 'chosen-by-the-apiserver' });
      for (const verb of verbsAtDatastore(asked)) {
        const verdict = authorizeKey('LeaderRX', lists, { key, verb, value: podAsStored(asked) });
        assert.ok(verdict.allowed, `${verb} ${key}`);
      }
    }),
    { numRuns: 20_000 },
  );
});

test.run();
