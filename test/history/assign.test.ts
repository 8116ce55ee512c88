import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { assign } from './assign.ts';

const given = (wants: Record<string, string[]>) =>
  Object.fromEntries(assign(Object.keys(wants), (want) => wants[want] ?? []));

test('who has a choice gives way to who has none', () => {
  assert.equal(given({ a: ['1', '2'], b: ['1'] }), { b: '1', a: '2' });
  assert.equal(given({ a: ['1', '2'], b: ['2', '3'], c: ['1'] }), { c: '1', a: '2', b: '3' });
});

test('a candidate is given once; who finds none goes without', () => {
  assert.equal(given({ a: ['1'], b: ['1'] }), { a: '1' });
  assert.equal(given({ a: [] }), {});
});

test.run();
