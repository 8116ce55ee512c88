import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { MutationRequest } from './request.ts';
import { judgesPodPriority, ruleMatches } from './rule.ts';

const person: MutationRequest = {
  verb: 'create',
  apiGroup: 'apps',
  resource: 'deployments',
  subresource: '',
  namespace: 'default',
  name: 'web',
  user: 'system:admin',
  groups: ['system:masters', 'system:authenticated'],
  priority: 0,
  priorityClass: '',
};
const request = (part: Partial<MutationRequest>) => ({ ...person, ...part });
const write = (part: Partial<MutationRequest>): MutationRequest => ({
  verb: 'create',
  apiGroup: '',
  resource: 'pods',
  namespace: 'default',
  name: 'web',
  ...part,
});

test('a resource pattern says whether it means the object, one subresource, or all', () => {
  const allows = (pattern: string, subresource: string) =>
    ruleMatches({ resources: [pattern] }, request({ subresource }));
  const seen = (pattern: string) =>
    ['', 'status', 'scale'].filter((subresource) => allows(pattern, subresource));
  assert.equal(seen('deployments'), ['']);
  assert.equal(seen('deployments/status'), ['status']);
  assert.equal(seen('deployments/*'), ['status', 'scale']);
  assert.equal(seen('*/scale'), ['scale']);
  assert.equal(seen('*'), ['', 'status', 'scale']);
  assert.equal(seen('*/*'), ['', 'status', 'scale']);
  assert.equal(seen('pods'), []);
});

test('each field that is given must match; absent, empty and "*" match everything', () => {
  const all = { resources: ['deployments'] };
  assert.ok(ruleMatches({ ...all, apiGroups: ['apps'], namespaces: ['default'], names: ['web'] }, person));
  assert.ok(ruleMatches({ ...all, apiGroups: ['*'], namespaces: [], verbs: ['*'] }, person));
  assert.not(ruleMatches({ ...all, apiGroups: [''] }, person));
  assert.not(ruleMatches({ ...all, namespaces: ['kube-system'] }, person));
  assert.not(ruleMatches({ ...all, names: ['db'] }, person));
  assert.not(ruleMatches({ ...all, verbs: ['update', 'delete'] }, person));
});

test('a name that the apiserver will choose is on no list of names', () => {
  assert.not(ruleMatches({ resources: ['deployments'], names: ['web'] }, request({ name: '' })));
});

test('users and groups are one field: who', () => {
  const by = (who: { users?: string[]; groups?: string[] }) =>
    ruleMatches({ resources: ['*'], ...who }, person);
  assert.ok(by({ users: ['system:admin'] }));
  assert.ok(by({ groups: ['system:masters'] }));
  assert.ok(by({ users: ['system:admin'], groups: ['system:nodes'] }));
  assert.ok(by({ users: ['*'] }));
  assert.not(by({ users: ['alice'], groups: ['system:nodes'] }));
});

test('an object without pods has no priority that could be high enough', () => {
  const rule = { resources: ['*'], minPriority: 0 };
  assert.ok(ruleMatches(rule, request({ priority: 0 })));
  assert.not(ruleMatches(rule, request({ priority: -1 })));
  assert.not(ruleMatches(rule, request({ priority: null })));
  assert.ok(ruleMatches({ resources: ['*'], priorityClasses: ['high'] }, request({ priorityClass: 'high' })));
  assert.not(ruleMatches({ resources: ['*'], priorityClasses: ['high'] }, person));
});

test('at the datastore users, priority and subresources that cannot be seen count as matching', () => {
  assert.ok(ruleMatches({ resources: ['pods'], users: ['alice'], minPriority: 9 }, write({})));
  assert.not(ruleMatches({ resources: ['pods'], minPriority: 9 }, write({ priority: 8 })));
  assert.ok(ruleMatches({ resources: ['pods/status'] }, write({ verb: 'update' })));
});

test('at the datastore a subresource changes an object, and creates none', () => {
  const verbs = (pattern: string) =>
    (['create', 'update', 'delete'] as const).filter((verb) =>
      ruleMatches({ resources: [pattern] }, write({ verb })),
    );
  assert.equal(verbs('pods/status'), ['update']);
  assert.equal(verbs('pods/eviction'), ['update', 'delete']);
  assert.equal(verbs('pods/*'), ['update', 'delete']);
  assert.equal(verbs('pods'), ['create', 'update', 'delete']);
});

test('at the datastore update and delete are one verb', () => {
  const pods = { resources: ['pods'] };
  assert.ok(ruleMatches({ ...pods, verbs: ['delete'] }, write({ verb: 'update' })));
  assert.ok(ruleMatches({ ...pods, verbs: ['update'] }, write({ verb: 'delete' })));
  assert.not(ruleMatches({ ...pods, verbs: ['create'] }, write({ verb: 'update' })));
  assert.not(ruleMatches({ ...pods, verbs: ['update', 'delete'] }, write({ verb: 'create' })));
});

test('the stored pod is read only for rules that judge it', () => {
  assert.ok(judgesPodPriority({ resources: ['pods'], minPriority: 1 }));
  assert.ok(judgesPodPriority({ resources: ['*'], priorityClasses: ['high'] }));
  assert.not(judgesPodPriority({ resources: ['pods'] }));
  assert.not(judgesPodPriority({ resources: ['deployments', 'pods/status'], minPriority: 1 }));
});

test.run();
