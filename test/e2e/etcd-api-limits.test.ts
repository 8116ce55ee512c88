import {
  leaseGrantRequest,
  leaseLeasesResponse,
  leaseTimeToLiveRequest,
  leaseTimeToLiveResponse,
} from '../../services/shim/etcd/messages.ts';
import { type EtcdClient, op, putOf, range } from '../etcd-client.ts';
import { besideEtcd } from './beside-etcd.ts';

const { test, same } = besideEtcd('limits of the etcd API beside a real etcd');

const mebibyte = 1024 * 1024;
const revisionOf = async (client: EtcdClient) => (await client.range({ key: 'x' })).header?.revision ?? 0;

same('values up to the size limit, and above it', async (client, record) => {
  await record(client.put({ key: 'big', value: 'x'.repeat(1.5 * mebibyte - 64) }));
  await record(client.range({ key: 'big' }));
  await record(client.put({ key: 'big', value: 'x'.repeat(1.5 * mebibyte + 1) }));
  await record(client.put({ key: 'big', value: 'x'.repeat(1.5 * mebibyte) }));
  // Above what gRPC itself takes.
  await record(client.put({ key: 'big', value: 'x'.repeat(2 * mebibyte) }));
  await record(client.put({ key: 'k'.repeat(mebibyte), value: 'long key' }));
  await record(client.range({ key: 'k', rangeEnd: 'l', keysOnly: true }));
  await record(client.deleteRange({ key: 'k', rangeEnd: 'l' }));
});

same('binary keys and the ends of ranges', async (client, record) => {
  for (const key of ['\x00', '\x00\x00', 'b\x7f', 'b\x80', 'b\xff', 'b\xff\xff', '\xff', '\xff\x00'])
    await client.put({ key, value: key, prevKv: false });
  const ranges: [string, string][] = [
    ['b', 'c'],
    ['b\x80', 'b\xff'],
    ['b\xff', 'c'],
    ['b\xff', 'b\xff\x00'],
    ['\xff', '\x00'],
    ['\x00', '\x00'],
    ['\x00', 'b'],
    ['c', 'b'],
    ['b', 'b'],
  ];
  for (const [key, rangeEnd] of ranges) {
    await record(client.range({ key, rangeEnd }));
    await record(client.range({ key, rangeEnd, countOnly: true }));
  }
  await record(client.deleteRange({ key: 'b\x80', rangeEnd: 'b\xff\xff', prevKv: true }));
  await record(client.deleteRange({ key: '\xff', rangeEnd: '\x00', prevKv: true }));
  await record(client.deleteRange({ key: '\x00', rangeEnd: '\x01' }));
});

same('limits of a Txn', async (client, record) => {
  const put = (key: string) => op({ requestPut: putOf(key, 'v') });
  const nested = (count: number, prefix: string) =>
    op({
      requestTxn: {
        compare: [],
        success: Array.from({ length: count }, (_, i) => put(`${prefix}${i}`)),
        failure: [],
      },
    });
  await record(client.txn({ success: Array.from({ length: 128 }, (_, i) => put(`m/${i}`)) }));
  await record(client.txn({ success: [nested(127, 'n/')] }));
  await record(client.txn({ success: [nested(128, 'n/')] }));
  await record(client.txn({ success: [put('o'), put('p'), nested(126, 'n/')] }));
  await record(client.txn({ success: [put('o'), put('p'), nested(127, 'n/')] }));
  await record(client.txn({ failure: Array.from({ length: 129 }, (_, i) => put(`f/${i}`)) }));
  await record(client.txn({ success: [op({ requestRange: range('') })] }));
  await record(client.txn({ success: [op({ requestRange: range('a', { sortOrder: 7 }) })] }));
  await record(
    client.txn({ success: [op({ requestDeleteRange: { key: '', rangeEnd: '', prevKv: false } })] }),
  );
});

same('revisions in the future and in the past', async (client, record) => {
  const now = await revisionOf(client);
  await client.compact(now);
  await record(client.range({ key: 'x', revision: now + 1_000_000 }));
  await record(client.range({ key: 'x', rangeEnd: 'y', revision: now + 1, countOnly: true }));
  await record(client.compact(now + 1_000_000));
  await record(client.compact(0));
  await record(client.compact(-1));
  await record(client.txn({ success: [op({ requestRange: range('x', { revision: now + 1 }) })] }));
});

same('leases that are not known', async (client, record) => {
  const timeToLive = (id: bigint, keys: boolean) =>
    client
      .call('Lease/LeaseTimeToLive', leaseTimeToLiveRequest.encode({ id, keys }))
      .then((bytes) => leaseTimeToLiveResponse.decode(bytes));
  await record(timeToLive(42n, true));
  await record(timeToLive(0n, false));
  await record(client.call('Lease/LeaseRevoke', leaseGrantRequest.encode({ ttl: 42 })).then(() => null));
  await record(client.leaseGrant(0, 50n));
  await record(client.leaseGrant(-5, 51n));
  await record(client.put({ key: 'leased\xff', value: 'x', lease: 50n }));
  await record(timeToLive(50n, true).then(({ keys, grantedTtl }) => ({ keys, grantedTtl })));
  await record(
    client
      .call('Lease/LeaseLeases', Buffer.alloc(0))
      .then((bytes) => leaseLeasesResponse.decode(bytes).leases.length),
  );
  const stream = client.leaseKeepAlive();
  stream.write(leaseTimeToLiveRequest.encode({ id: 42n }));
  await record(stream.next());
  stream.write(leaseTimeToLiveRequest.encode({ id: 50n }));
  await record(stream.next());
  stream.cancel();
  await client.call('Lease/LeaseRevoke', leaseTimeToLiveRequest.encode({ id: 50n }));
  await client.call('Lease/LeaseRevoke', leaseTimeToLiveRequest.encode({ id: 51n }));
});

same('watches of the future, of nothing, and cancels of what is not there', async (client, record) => {
  const now = await revisionOf(client);
  const watch = client.watch();
  watch.create({ key: 'f', startRevision: now + 3 });
  await record(watch.next());
  watch.send({ cancelRequest: { watchId: 99 } });
  watch.send({ cancelRequest: { watchId: -1 } });
  watch.create({ key: 'f', startRevision: now + 1_000_000 });
  await record(watch.next());
  watch.create({ key: 'f', startRevision: -1 });
  await record(watch.next());
  watch.create({ key: 'z', rangeEnd: 'a' });
  await record(watch.next());
  watch.create({ key: 'f', watchId: -7 });
  await record(watch.next());
  watch.create({ key: '', rangeEnd: '\x00', filters: [0, 1] });
  await record(watch.next());
  for (const value of ['1', '2', '3']) await client.put({ key: 'f', value });
  await record(watch.next());
  watch.cancel();
});

same('many watchers on one stream', async (client, record) => {
  const watch = client.watch();
  const count = 200;
  for (let i = 0; i < count; i++)
    watch.create({ key: 's/', rangeEnd: i % 2 ? 's0' : '', prevKv: i % 3 === 0 });
  for (let i = 0; i < count; i++) await record(watch.next());
  await client.put({ key: 's/', value: 'one' });
  await client.put({ key: 's/1', value: 'two' });
  await client.deleteRange({ key: 's/', rangeEnd: 's0' });
  const perWatcher = new Map<number, string[]>();
  let events = 0;
  while (events < (count / 2) * 2 + (count / 2) * 4) {
    const answer = await watch.next();
    for (const { type, kv, prevKv } of answer.events) {
      const seen = perWatcher.get(answer.watchId) ?? [];
      seen.push(`${type} ${kv?.key} ${kv?.value} ${prevKv?.value ?? '-'}`);
      perWatcher.set(answer.watchId, seen);
      events++;
    }
  }
  await record(Promise.resolve([...perWatcher].sort(([a], [b]) => a - b)));
  watch.cancel();
});

same('requests that are no messages', async (client, record) => {
  await record(client.call('KV/Unknown', Buffer.alloc(0)));
  await record(client.call('Nothing/At', Buffer.alloc(0)));
  await record(client.range({ key: 'x', limit: -1 }));
  const cut = Buffer.of(0x0a, 5, 1);
  await record(client.call('KV/Range', cut));
  await record(client.call('KV/Put', cut));
  await record(client.call('KV/Range', Buffer.of(0x08, 5)));
  await record(client.call('KV/Range', Buffer.alloc(12, 0xff)));
  const watch = client.watch();
  watch.write(cut);
  await record(watch.next());
});

same('a list of numbers that is not packed', async (client, record) => {
  const watch = client.watch();
  // Key "u", and both filters each on its own.
  const create = Buffer.of(0x0a, 1, 0x75, 0x28, 0, 0x28, 1);
  watch.write(Buffer.of(0x0a, create.length, ...create));
  await record(watch.next());
  await client.put({ key: 'u', value: 'filtered' });
  watch.send({ progressRequest: {} });
  await record(watch.next());
  watch.cancel();
});

same('a question about progress without a watcher has no answer', async (client, record) => {
  const watch = client.watch();
  watch.send({ progressRequest: {} });
  watch.create({ key: 'p' });
  await record(watch.next());
  watch.send({ progressRequest: {} });
  await record(watch.next());
  watch.cancel();
});

same('watch ids that were given back, and far ones', async (client, record) => {
  const watch = client.watch();
  for (const watchId of [3, 0, 0, 3, 0, 0, 2 ** 40]) {
    watch.create({ key: 'i', watchId });
    await record(watch.next());
  }
  for (const watchId of [3, 0]) {
    watch.send({ cancelRequest: { watchId } });
    await record(watch.next());
    watch.create({ key: 'i', watchId });
    await record(watch.next());
  }
  watch.cancel();
});

same('watches and reads at the compact revision, where a key was deleted', async (client, record) => {
  for (const value of ['1', '2']) await client.put({ key: 't1', value });
  const deleted = (await client.deleteRange({ key: 't1' })).header?.revision ?? 0;
  await client.put({ key: 't2', value: '1' });
  await client.compact(deleted, true);
  await record(client.range({ key: 't', rangeEnd: 'u', revision: deleted }));
  const watch = client.watch();
  for (const prevKv of [false, true]) {
    for (const startRevision of [deleted - 1, deleted, deleted + 1]) {
      watch.create({ key: 't', rangeEnd: 'u', startRevision, prevKv });
      await record(watch.next());
      await record(watch.next());
    }
  }
  watch.cancel();
});

same('leases with ids of every sign, and keys that change theirs', async (client, record) => {
  const keysOf = (id: bigint) =>
    client
      .call('Lease/LeaseTimeToLive', leaseTimeToLiveRequest.encode({ id, keys: true }))
      .then((bytes) => leaseTimeToLiveResponse.decode(bytes))
      .then(({ grantedTtl, keys }) => ({ grantedTtl, keys: keys.sort() }));
  for (const id of [-5n, 1n, 2n ** 62n, -(2n ** 63n)]) {
    await record(client.leaseGrant(100, id));
    await record(client.put({ key: `lease${id}`, value: 'v', lease: id }));
    await record(client.range({ key: `lease${id}` }));
    await record(client.keepAliveOnce(id));
    await record(keysOf(id));
    await record(client.leaseRevoke(id));
    await record(client.leaseRevoke(id));
    await record(client.keepAliveOnce(id));
    await record(client.range({ key: `lease${id}` }));
  }
  for (const id of [10n, 11n]) await client.leaseGrant(100, id);
  for (const lease of [10n, 11n, 0n, 10n]) {
    await client.put({ key: 'moved', value: 'v', lease });
    await record(keysOf(10n));
    await record(keysOf(11n));
  }
  await record(client.leaseRevoke(11n));
  await record(client.range({ key: 'moved' }));
  for (const key of ['moved/b', 'moved/a', 'moved/c']) await client.put({ key, value: 'v', lease: 10n });
  const watch = client.watch();
  watch.create({ key: 'moved', rangeEnd: 'movee', prevKv: true });
  await watch.next();
  await client.leaseRevoke(10n);
  await record(watch.next());
  watch.cancel();
});

test.run();
