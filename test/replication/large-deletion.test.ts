import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { changedBytesMax } from '../../services/shim/kv/transaction.ts';
import { EtcdClient, op, putOf } from '../etcd-client.ts';
import { eventually } from '../eventually.ts';
import { startNodePair } from './node-pair.ts';
import { serveEtcd } from './serve-etcd.ts';

/** A range with so many keys that its deletion, one record of the log, is larger than all others. */
const test = suite('deletion of very many keys');

const keyBytes = 8_000;
const keysOfTxn = 128;
const all = { key: 'k', rangeEnd: 'l' };
const keyOf = (i: number) => `k${String(i).padStart(keyBytes - 1, '0')}`;

async function putKeys(client: EtcdClient, count: number): Promise<void> {
  for (let first = 0; first < count; first += keysOfTxn) {
    const numbers = Array.from({ length: Math.min(keysOfTxn, count - first) }, (_, i) => first + i);
    await client.txn({ success: numbers.map((i) => op({ requestPut: putOf(keyOf(i), '') })) });
  }
}

test('it is one revision on both nodes; what is larger still is refused whole', async () => {
  const pair = await startNodePair({ quotaBytes: 512 * 1024 * 1024 });
  await pair.follower.follows();
  const servers = [await serveEtcd(pair.leader.node), await serveEtcd(pair.follower.node)];
  const [leader, follower] = servers.map(({ address }) => new EtcdClient(address)) as [
    EtcdClient,
    EtcdClient,
  ];
  const countOn = async (client: EtcdClient) => (await client.range({ ...all, countOnly: true })).count;

  /** The follower may fall behind such a record, and goes on when it has it. */
  const bothHave = async (count: number) => {
    assert.is(await countOn(leader), count);
    await eventually(
      () => follower.range({ ...all, countOnly: true, serializable: true }),
      (answer) => answer.count === count,
      60_000,
    );
  };

  const most = Math.floor((changedBytesMax / keyBytes) * 0.99);
  await putKeys(leader, most);
  await bothHave(most);
  const before = (await leader.range({ key: 'x' })).header?.revision ?? 0;
  const { deleted, header } = await leader.deleteRange(all);
  assert.is(deleted, most);
  assert.is(header?.revision, before + 1);
  await bothHave(0);

  const tooMany = Math.ceil(changedBytesMax / keyBytes);
  await putKeys(leader, tooMany);
  await bothHave(tooMany);
  const refusal = await leader.deleteRange(all).catch((error: Error) => error.message);
  assert.is(refusal, '3 INVALID_ARGUMENT: etcdserver: request is too large');
  await bothHave(tooMany);
  const middle = keyOf(tooMany / 2);
  await leader.deleteRange({ key: 'k', rangeEnd: middle });
  await leader.deleteRange({ key: middle, rangeEnd: 'l' });
  await bothHave(0);

  for (const client of [leader, follower]) client.close();
  for (const server of servers) await server.stop();
  await pair.stop();
});

test.run();
