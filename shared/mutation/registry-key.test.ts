import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { datastoreGroup, parseKey, registryKey } from './registry-key.ts';

function lines(file: string): string[][] {
  const text = readFileSync(new URL(`../../../shared/mutation/testdata/${file}`, import.meta.url), 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(' '));
}

test('keys which a kube-apiserver and an aggregated server wrote', () => {
  for (const [key = '', group, resource, namespace, name] of lines('keys.txt')) {
    const { apiGroup, ...rest } = parseKey(key);
    const words = [apiGroup ?? '?', rest.resource, rest.namespace, rest.name].map((word) => word || '-');
    assert.equal(words, [group, resource, namespace, name], key);
  }
});

test('every resource which a kube-apiserver stores maps both ways', () => {
  for (const [group, resource = '', scope] of lines('resources.txt')) {
    const apiGroup = group === 'core' ? '' : group;
    const object = { apiGroup, resource, namespace: scope === 'namespaced' ? 'ns' : '', name: 'x' };
    const expected = resource === 'events' ? { ...object, apiGroup: undefined } : object;
    assert.equal(parseKey(registryKey(object)), expected, `${group} ${resource}`);
  }
});

test('keys that are no Kubernetes object', () => {
  const resourceOf = (key: string) => {
    const { apiGroup, resource, name } = parseKey(key);
    assert.is(apiGroup, datastoreGroup, key);
    return [resource, name];
  };
  assert.equal(resourceOf('compact_rev_key'), ['compact_rev_key', '']);
  assert.equal(resourceOf('/bootstrap/0123456789ab'), ['bootstrap', '0123456789ab']);
  assert.equal(resourceOf('/registry/health'), ['keys', '/registry/health']);
  assert.equal(resourceOf('foo'), ['keys', 'foo']);
  assert.equal(resourceOf(''), ['keys', '']);
  assert.equal(resourceOf('/registry/ranges/serviceips'), ['ranges', 'serviceips']);
});

test('an aggregated server has a prefix of its own, of any form', () => {
  const flunder = { apiGroup: 'wardle.example.com', resource: 'flunders', namespace: 'ns', name: 'x' };
  for (const prefix of ['wardle.kubernetes.io', 'wardle.example.com', 'wardle']) {
    assert.equal(parseKey(`/registry/${prefix}/wardle.example.com/flunders/ns/x`), flunder, prefix);
  }
  assert.equal(parseKey('/registry/example.com/planets/mars.sol'), {
    apiGroup: 'example.com',
    resource: 'planets',
    namespace: '',
    name: 'mars.sol',
  });
});

test('a resource of a newer apiserver has an unknown group', () => {
  assert.equal(parseKey('/registry/gizmos/ns/x'), {
    apiGroup: undefined,
    resource: 'gizmos',
    namespace: 'ns',
    name: 'x',
  });
});

test('any text is a key', () => {
  const word = fc.constantFrom(
    'pods',
    'services',
    'specs',
    'minions',
    'example.com',
    'widgets',
    'a',
    '',
    'ranges',
  );
  const key = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 6 }).map((words) => `/registry/${words.join('/')}`),
  );
  fc.assert(fc.property(key, (text) => assert.type(parseKey(text).resource, 'string')));
});

test.run();
