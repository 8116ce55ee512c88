import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfiguration } from './load.ts';

const file = `apiVersion: twonode.dev/v1alpha1
kind: TwoNodeConfiguration
cluster: edge-1
nodes:
  - {name: node-a, role: leader, address: 127.0.0.1}
  - {name: node-b, role: follower, address: 127.0.0.2}
probes: {northSouth: [{name: gateway, address: 127.0.0.3}]}
mutationSets:
  shop: [{resources: [configmaps], namespaces: [shop]}]
approvedMutationList:
`;
const faultOf = (entry: string) => {
  try {
    parseConfiguration(`${file}  - ${entry}\n`, 'twonode.yaml');
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

test('an entry of a list is a rule or the name of a set', () => {
  for (const entry of ['shop', 'leases', 'pod creation by controllers', '{resources: [pods]}']) {
    assert.is(faultOf(entry), '', entry);
  }
});

test('a name that is no set is refused, with those that there are', () => {
  assert.match(
    faultOf('shops'),
    /^twonode\.yaml:11: approvedMutationList\.0: expected the name of a set: shop, leases, apiserver keys, /,
  );
  assert.match(faultOf('constructor'), 'expected the name of a set');
});

test('what is wrong in a rule is told with its own place', () => {
  assert.is(
    faultOf('{resources: [pods], verbs: [get]}'),
    'twonode.yaml:11: approvedMutationList.0.verbs.0: Invalid option: expected one of "create"|"update"|"delete"|"*"',
  );
  assert.match(faultOf('{resources: [pods], verb: [create]}'), 'Unrecognized key: "verb"');
  assert.match(faultOf('{apiGroups: [apps]}'), '11: approvedMutationList.0.resources: ');
  assert.match(faultOf('7'), 'approvedMutationList.0: expected a rule, or the name of a set');
});

test.run();
