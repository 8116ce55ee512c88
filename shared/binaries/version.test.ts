import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { requiredGo, requiredVersion } from './go-mod.ts';
import { findVersion, isRecentEnough } from './version.ts';

test('finds the version in what programs print', () => {
  assert.equal(findVersion('nats-server: v2.15.2'), [2, 15, 2]);
  assert.equal(findVersion('etcd Version: 3.6.8\nGit SHA: Not provided'), [3, 6, 8]);
  assert.equal(findVersion('Client Version: v1.32.4-dispatcher'), [1, 32, 4]);
  assert.is(findVersion('unknown flag: --version'), null);
});

test('a later minor version will do, an earlier one or another major one will not', () => {
  assert.ok(isRecentEnough([2, 15, 0], [2, 15, 2]));
  assert.ok(isRecentEnough([2, 16, 0], [2, 15, 2]));
  assert.not(isRecentEnough([2, 14, 9], [2, 15, 2]));
  assert.not(isRecentEnough([3, 0, 0], [2, 15, 2]));
});

test('reads requirements from a go.mod, in a block or alone', () => {
  const goMod =
    'module x\n\ngo 1.26.0\n\nrequire (\n\tk8s.io/kubernetes v1.37.2 // indirect\n)\nrequire a.b/c v0.1.0\n';
  assert.is(requiredVersion(goMod, 'k8s.io/kubernetes'), 'v1.37.2');
  assert.is(requiredVersion(goMod, 'a.b/c'), 'v0.1.0');
  assert.is(requiredGo(goMod), '1.26.0');
  assert.throws(() => requiredVersion(goMod, 'k8s.io/kube'), /does not require/);
});

test.run();
