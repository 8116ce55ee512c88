import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LeaseExpiry } from './expiry.ts';
import { newLeaseIds } from './ids.ts';

const test = suite('lease expiry');

test('leases run out in order of their deadlines', () => {
  const expiry = new LeaseExpiry();
  for (let id = 1; id <= 1_000; id++) expiry.start(BigInt(id), ((id * 7919) % 1_000) + 1, 0);
  const order: bigint[] = [];
  for (let now = 0; now <= 1_000_000; now += 1_000) order.push(...expiry.due(now, 1_000));
  const expected = Array.from({ length: 1_000 }, (_, i) => i + 1).sort(
    (a, b) => ((a * 7919) % 1_000) - ((b * 7919) % 1_000),
  );
  assert.equal(order.map(Number), expected);
});

test('a lease that was renewed runs out one TTL after its renewal', () => {
  const expiry = new LeaseExpiry();
  expiry.start(1n, 10, 0);
  expiry.start(1n, 10, 9_000);
  assert.equal(expiry.due(18_999, 1_000), []);
  assert.is(expiry.remainingMs(1n, 18_000), 1_000);
  assert.equal(expiry.due(19_000, 1_000), [1n]);
  assert.is(expiry.remainingMs(1n, 19_000), undefined);
});

test('a lease that was stopped never runs out', () => {
  const expiry = new LeaseExpiry();
  expiry.start(1n, 1, 0);
  expiry.stop(1n);
  assert.equal(expiry.due(10_000, 1_000), []);
});

test('no more are taken out at once than is asked for', () => {
  const expiry = new LeaseExpiry();
  for (let id = 1n; id <= 10n; id++) expiry.start(id, Number(id), 0);
  assert.equal(expiry.due(60_000, 4), [1n, 2n, 3n, 4n]);
  assert.equal(expiry.due(60_000, 100), [5n, 6n, 7n, 8n, 9n, 10n]);
});

test('leases that are revoked long before their time leave nothing behind', () => {
  const expiry = new LeaseExpiry();
  for (let id = 1n; id <= 50n; id++) expiry.start(id, 60 + Number(id), 0);
  for (let id = 1_000n; id < 20_000n; id++) {
    expiry.start(id, 1_000_000, 0);
    expiry.stop(id);
  }
  assert.ok(expiry.places <= 250, `${expiry.places} places`);
  assert.equal(
    expiry.due(200_000, 1_000),
    Array.from({ length: 50 }, (_, i) => BigInt(i + 1)),
  );
});

test('the two nodes never give the same id', () => {
  const leader = newLeaseIds(0);
  const follower = newLeaseIds(1);
  for (let i = 0; i < 100; i++) {
    assert.is(leader() % 2n, 0n);
    assert.is(follower() % 2n, 1n);
  }
});

test.run();
