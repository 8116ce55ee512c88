import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Quota } from './quota.ts';

const test = suite('quota');

test('what was written since the size was asked for counts, too', async () => {
  let size = 500;
  const quota = new Quota(1_000, () => Promise.resolve(size));
  await quota.refresh();
  assert.ok(quota.take(300));
  assert.not(quota.take(200));
  assert.ok(quota.take(199));
  size = 600;
  await quota.refresh();
  assert.ok(quota.take(399));
  assert.not(quota.take(1));
  quota.stop();
});

test('a size that cannot be told leaves the last one in force', async () => {
  let answers = true;
  const quota = new Quota(1_000, () => (answers ? Promise.resolve(900) : Promise.reject(new Error('away'))));
  await quota.refresh();
  answers = false;
  await quota.refresh();
  assert.not(quota.take(100));
  assert.ok(quota.take(99));
  quota.stop();
});

test.run();
