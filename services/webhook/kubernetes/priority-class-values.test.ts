import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PriorityClassValues } from './priority-class-values.ts';

test('before it has read any it knows the two of the system', () => {
  const { value } = new PriorityClassValues();
  assert.equal(['system-node-critical', 'system-cluster-critical', 'high', ''].map(value), [
    2_000_001_000,
    2_000_000_000,
    null,
    0,
  ]);
});

test('knows those of the cluster, and the global default', () => {
  const classes = new PriorityClassValues();
  classes.replace([
    { metadata: { name: 'high' }, value: 1_000 },
    { metadata: { name: 'usual' }, value: 10, globalDefault: true },
  ]);
  assert.equal(['high', 'usual', '', 'gone'].map(classes.value), [1_000, 10, 10, null]);
  classes.replace([]);
  assert.equal(['high', ''].map(classes.value), [null, 0]);
});

test.run();
