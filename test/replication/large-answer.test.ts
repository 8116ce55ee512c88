import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { answerBytesMax } from '../../services/shim/replication/protocol.ts';
import { EtcdClient, op, putOf, range } from '../etcd-client.ts';
import { startNodePair } from './node-pair.ts';
import { serveEtcd } from './serve-etcd.ts';

/** Writes through the follower whose answers no message between the nodes can hold. */
const test = suite('large answers through the follower');

const valueBytes = 1024 * 1024;
const all = { key: 'k', rangeEnd: 'l' };

test('what cannot be answered is not done, and said to be so at once', async () => {
  const pair = await startNodePair({ quotaBytes: 512 * 1024 * 1024 });
  await pair.follower.follows();
  const servers = [await serveEtcd(pair.leader.node), await serveEtcd(pair.follower.node)];
  const [leader, follower] = servers.map(({ address }) => new EtcdClient(address)) as [
    EtcdClient,
    EtcdClient,
  ];
  const count = Math.ceil(answerBytesMax / valueBytes) + 2;
  const value = 'x'.repeat(valueBytes);
  for (let i = 0; i < count; i++) await leader.put({ key: `k${i}`, value });
  const before = (await follower.range({ ...all, countOnly: true })).header?.revision;

  const refused = /^8 RESOURCE_EXHAUSTED: twonode: an answer of \d+ bytes cannot come through the follower/;
  const refusalOf = (call: Promise<unknown>) =>
    call.then(
      () => 'answered',
      (error: Error) => error.message,
    );
  assert.match(await refusalOf(follower.deleteRange({ ...all, prevKv: true })), refused);
  const readAndPut = {
    success: [op({ requestPut: putOf('a', 'new') }), op({ requestRange: range('k', { rangeEnd: 'l' }) })],
  };
  assert.match(await refusalOf(follower.txn(readAndPut)), refused);
  const after = await follower.range({ ...all, countOnly: true });
  assert.equal([after.header?.revision, after.count], [before, count]);
  assert.is((await leader.range({ key: 'a' })).count, 0);

  assert.is((await follower.range(all)).kvs.length, count);
  const { deleted, prevKvs } = await leader.deleteRange({ ...all, prevKv: true });
  assert.equal([deleted, prevKvs.length], [count, count]);
  assert.is((await follower.range({ ...all, countOnly: true })).count, 0);

  for (const client of [leader, follower]) client.close();
  for (const server of servers) await server.stop();
  await pair.stop();
});

test.run();
