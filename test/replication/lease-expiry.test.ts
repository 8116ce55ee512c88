import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { EtcdClient } from '../etcd-client.ts';
import { type ServedPair, startServedPair } from './served-pair.ts';

/** What a follower alone let expire is gone there, and is never merged: the leader's lease was kept alive all the while. */
const test = suite<ServedPair>('leases that run out on one node alone');

const ttlSeconds = 2;
const keepAliveMs = 500;
const mirroredLease = 7n;
const leased = { key: '/leased/', rangeEnd: '/leased0' };

test.before.each(async (context) => {
  Object.assign(context, await startServedPair());
});
test.after.each(({ stop }) => stop());

/** Keeps a lease alive as a client does, until it is told to end. */
function keepAlive(client: EtcdClient, id: bigint): { end(): Promise<void> } {
  let ttl = ttlSeconds;
  const renew = async () => {
    ttl = Math.min(ttl, (await client.keepAliveOnce(id)).ttl);
  };
  let renewing = renew();
  const timer = setInterval(() => {
    renewing = renewing.then(renew);
  }, keepAliveMs);
  return {
    end: async () => {
      clearInterval(timer);
      await renewing;
      assert.is(ttl, ttlSeconds, 'the lease was there whenever it was renewed');
    },
  };
}

/** The next keys that are deleted, in the order of their names. */
async function deletions(watch: ReturnType<EtcdClient['watch']>, count: number): Promise<string[]> {
  const keys: string[] = [];
  while (keys.length < count) {
    const { events, canceled } = await watch.next();
    assert.not(canceled);
    keys.push(...events.filter(({ type }) => type === 1).map(({ kv }) => kv?.key ?? ''));
  }
  return keys.sort();
}

async function keys(client: EtcdClient): Promise<string[]> {
  const { kvs } = await client.range(leased);
  return kvs.map(({ key, value, lease }) => `${key} ${value} ${lease}`);
}

/** Both nodes have the mirrored key with its lease, nothing that was written alone, and no conflict. */
async function assertKept({ pair, leader, follower }: ServedPair): Promise<void> {
  await pair.follower.follows();
  for (const client of [leader, follower]) {
    assert.equal(await keys(client), [`/leased/mirrored of the leader ${mirroredLease}`]);
  }
  for (const { node } of [pair.leader, pair.follower]) {
    assert.is(node.database.conflicts.size, 0);
    assert.equal([...node.database.leases], [[mirroredLease, ttlSeconds]]);
  }
}

test('what a follower alone let expire is gone there, and the leader keeps what it kept alive', async (context) => {
  const { pair, leader, follower } = context;
  await leader.leaseGrant(ttlSeconds, mirroredLease);
  await leader.put({ key: '/leased/mirrored', value: 'of the leader', lease: mirroredLease });
  const alive = keepAlive(leader, mirroredLease);
  assert.is(await follower.get('/leased/mirrored'), 'of the leader');
  pair.link.set(true);
  await pair.follower.isAlone();
  const { id } = await follower.leaseGrant(ttlSeconds);
  await follower.put({ key: '/leased/alone', value: 'of the follower', lease: id });
  const watch = follower.watch();
  watch.create(leased);
  assert.is((await watch.next()).created, true);
  assert.equal(await deletions(watch, 2), ['/leased/alone', '/leased/mirrored']);
  assert.equal(await keys(follower), []);
  assert.equal(await keys(leader), [`/leased/mirrored of the leader ${mirroredLease}`]);
  pair.link.set(false);
  await assertKept(context);
  await alive.end();
  watch.cancel();
});

test('leases run out on a follower alone that nobody writes to', async (context) => {
  const { pair, leader, follower } = context;
  await leader.leaseGrant(ttlSeconds, mirroredLease);
  await leader.put({ key: '/leased/mirrored', value: 'of the leader', lease: mirroredLease });
  const alive = keepAlive(leader, mirroredLease);
  assert.is(await follower.get('/leased/mirrored'), 'of the leader');
  const watch = follower.watch();
  watch.create(leased);
  assert.is((await watch.next()).created, true);
  pair.link.set(true);
  // The numbering changes: a client lists anew, and watches on from there.
  assert.is((await watch.next()).canceled, true);
  const listed = await follower.range(leased);
  assert.is(listed.kvs.length, 1);
  watch.create({ ...leased, startRevision: (listed.header?.revision ?? 0) + 1 });
  assert.is((await watch.next()).created, true);
  assert.equal(await deletions(watch, 1), ['/leased/mirrored']);
  pair.link.set(false);
  await assertKept(context);
  await alive.end();
  watch.cancel();
});

test.run();
