import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { subjects, token } from './subjects.ts';

const test = suite('subjects');

test('a token holds any text', () => {
  assert.is(token('web-1'), 'web-1');
  assert.is(token('a.b *>'), 'a%2eb%20%2a%3e');
  assert.is(token(''), '%');
});

test('a change has one token for each word', () => {
  assert.is(
    subjects.change('node-a', 'deployments.apps', 'default', 'web'),
    'twonode.change.node-a.deployments%2eapps.default.web',
  );
});

test('the longest name of Kubernetes stands whole', () => {
  const name = `${'a.'.repeat(126)}a`;
  assert.ok(subjects.change('node-a', 'pods', 'default', name).endsWith(`.${token(name)}`));
});

test('no key makes a subject that nats-server refuses', () => {
  const long = '/'.repeat(100_000);
  assert.ok(subjects.change('a'.repeat(63), long, long, long).length < 4_000);
});

test.run();
