import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EtcdClient, type WatchStream } from '../etcd-client.ts';
import { startTwonodeEtcd } from '../etcd-servers.ts';

/** What takes time: leases that run out, notices of progress. */
const test = suite('etcd API over time');

/** Reads events until there are so many. */
async function events(watch: WatchStream, count: number) {
  const all = [];
  while (all.length < count) all.push(...(await watch.next(60_000)).events);
  return all;
}

test('a lease outlives a restart, and not by more than its TTL', async () => {
  const server = await startTwonodeEtcd();
  const ttlMs = 3_000;
  const before = new EtcdClient(server.address);
  const grantedMs = performance.now();
  await before.leaseGrant(ttlMs / 1_000, 7n);
  await before.put({ key: 'leased', value: 'x', lease: 7n });
  before.close();
  const killedMs = performance.now();
  await server.killAndRestart();
  const client = new EtcdClient(server.address);
  const watch = client.watch();
  watch.create({ key: 'leased', startRevision: 2 });
  const [put, deletion] = await events(watch, 2);
  const endedMs = performance.now();
  assert.is(put?.type, 0);
  assert.is(deletion?.type, 1);
  assert.is(deletion?.kv?.modRevision, 3, 'a revision of its own');
  assert.ok(endedMs - grantedMs >= ttlMs, 'not too early');
  const startMs = 10_000;
  assert.ok(endedMs - killedMs < ttlMs + startMs, `${endedMs - killedMs} ms after the kill`);
  assert.is((await client.keepAliveOnce(7n)).ttl, 0);
  client.close();
  await server.stop();
});

test('a thousand leases run out, each with its key at a revision of its own', async () => {
  const server = await startTwonodeEtcd();
  const client = new EtcdClient(server.address);
  const count = 1_000;
  const ttlSeconds = 15;
  const watch = client.watch();
  watch.create({ key: 'many/', rangeEnd: 'many0', filters: [0] });
  await watch.next();
  const grant = async (i: number) => {
    await client.leaseGrant(ttlSeconds, BigInt(1_000 + i));
    await client.put({ key: `many/${i}`, value: 'x', lease: BigInt(1_000 + i) });
  };
  await Promise.all(Array.from({ length: count }, (_, i) => grant(i)));
  const deletions = await events(watch, count);
  assert.is(new Set(deletions.map(({ kv }) => kv?.key)).size, count);
  assert.is(new Set(deletions.map(({ kv }) => kv?.modRevision)).size, count);
  assert.is((await client.range({ key: 'many/', rangeEnd: 'many0' })).count, 0);
  client.close();
  await server.stop();
});

test('an idle watcher that asks for it is told how far it is', async () => {
  const server = await startTwonodeEtcd('--watch-progress-notify-interval', '200ms');
  const client = new EtcdClient(server.address);
  const watch = client.watch();
  watch.create({ key: 'idle', progressNotify: true, watchId: 4 });
  watch.create({ key: 'idle', watchId: 5 });
  for (const id of [4, 5]) assert.is((await watch.next()).watchId, id);
  const { header } = await client.put({ key: 'other' });
  // The first one may have been on its way.
  const notices = [await watch.next(), await watch.next()];
  for (const { watchId, events: none } of notices) {
    assert.is(watchId, 4);
    assert.is(none.length, 0);
  }
  assert.is(notices[1]?.header?.revision, header?.revision);
  client.close();
  await server.stop();
});

test.run();
