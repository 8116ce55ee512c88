import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  hashKvRequest,
  hashKvResponse,
  memberListResponse,
  statusResponse,
} from '../../services/shim/etcd/messages.ts';
import { hashKeyValues } from '../../services/shim/kv/hash.ts';
import { type EtcdClient, op, putOf } from '../etcd-client.ts';
import { eventually } from '../eventually.ts';
import { type ServedPair, startServedPair } from './served-pair.ts';

/** What Maintenance and Cluster say of two nodes: the same on both. */
const test = suite<ServedPair>('maintenance of two nodes');

test.before(async (context) => {
  Object.assign(context, await startServedPair({ quotaBytes: 8 * 1024 * 1024 }));
});
test.after(({ stop }) => stop());

/** What a member says of the cluster. */
async function viewOf(client: EtcdClient) {
  const list = memberListResponse.decode(await client.call('Cluster/MemberList', Buffer.alloc(0)));
  const status = statusResponse.decode(await client.call('Maintenance/Status', Buffer.alloc(0)));
  assert.is(status.header?.memberId, list.header?.memberId);
  assert.match(status.version, /^3\.6\./);
  assert.ok(status.dbSize > 0 && status.raftIndex > 0);
  assert.equal(status.errors, []);
  const nameOf = (member: bigint | undefined) => list.members.find(({ id }) => id === member)?.name;
  return {
    own: nameOf(status.header?.memberId),
    cluster: {
      id: list.header?.clusterId,
      term: [status.raftTerm, list.header?.raftTerm],
      leader: nameOf(status.leader),
      urls: list.members.map(({ clientUrls }) => clientUrls),
    },
  };
}

test('both nodes are members, and say alike who leads, in which term', async ({ leader, follower, pair }) => {
  const { own, cluster } = await viewOf(leader);
  assert.is(own, 'node-a');
  assert.is(cluster.leader, 'node-a');
  assert.equal(cluster.term, [1, 1]);
  assert.equal(
    cluster.urls,
    pair.config.nodes.map(({ ports }) => [`http://127.0.0.1:${ports.etcd}`]),
  );
  // A follower that heard nothing for a moment says that it leads itself.
  const theirs = await eventually(
    () => viewOf(follower),
    (view) => view.cluster.leader === 'node-a',
  );
  assert.equal(theirs, { own: 'node-b', cluster });
});

async function hashAt(client: EtcdClient, revision: number) {
  const answer = await client.call('Maintenance/HashKV', hashKvRequest.encode({ revision }));
  const { hash, hashRevision, compactRevision } = hashKvResponse.decode(answer);
  return { hash, hashRevision, compactRevision };
}

async function revisionOf(client: EtcdClient): Promise<number> {
  return (await client.range({ key: 'x' })).header?.revision ?? 0;
}

/** Both nodes have the same hash at each of the last revisions, and no two revisions have the same. */
async function assertEqualHashes({ leader, follower }: ServedPair, depth: number): Promise<void> {
  const newest = await revisionOf(leader);
  // A linearizable read: from then on the follower has it all.
  assert.is(await revisionOf(follower), newest);
  const hashes = new Set<number>();
  for (let revision = newest - depth; revision <= newest; revision++) {
    const expected = await hashAt(leader, revision);
    assert.equal(await hashAt(follower, revision), expected, `revision ${revision}`);
    assert.is(expected.hashRevision, revision);
    hashes.add(expected.hash);
  }
  assert.is(hashes.size, depth + 1);
}

/** Puts on both nodes, deletions, transactions, a lease that is revoked. */
async function write({ leader, follower }: ServedPair): Promise<void> {
  for (let i = 0; i < 40; i++) {
    await (i % 2 ? leader : follower).put({ key: `h/${i % 13}`, value: `${i} `.repeat(1_000) });
    if (i % 7 === 0) await leader.deleteRange({ key: `h/${(i + 3) % 13}` });
  }
  await follower.txn({
    success: [
      op({ requestPut: putOf('h/txn', 'x') }),
      op({ requestDeleteRange: { key: 'h/1', rangeEnd: 'h/2', prevKv: false } }),
    ],
  });
  await leader.leaseGrant(600, 99n);
  await leader.put({ key: 'h/leased', value: 'x', lease: 99n });
  await leader.put({ key: 'h/leased too', value: 'x', lease: 99n });
  await follower.leaseRevoke(99n);
}

test('HashKV is the same on both nodes at each revision', async (context) => {
  await write(context);
  await assertEqualHashes(context, 30);
});

test('HashKV is the same after a compaction', async (context) => {
  const revision = await revisionOf(context.leader);
  await context.leader.compact(revision - 15);
  await write(context);
  await assertEqualHashes(context, 30);
  const { compactRevision } = await hashAt(context.follower, 0);
  assert.is(compactRevision, revision - 15);
});

test('HashKV of a compacted or future revision is refused alike', async ({ leader, follower }) => {
  const newest = await revisionOf(follower);
  for (const client of [leader, follower]) {
    const refusal = (revision: number) =>
      hashAt(client, revision).then(String, (error: Error) => error.message);
    assert.match(await refusal(1), /OUT_OF_RANGE: etcdserver: mvcc: required revision has been compacted/);
    assert.match(await refusal(newest + 1), /OUT_OF_RANGE: .* required revision is a future revision/);
  }
});

test('HashKV is the same when the log was cleaned, and when both have read the cleaned log', async (context) => {
  const { pair, leader } = context;
  const cleanedTo = () => [pair.leader, pair.follower].map(({ node }) => node.database.cleanedTo);
  while ((cleanedTo()[0] ?? 0) <= 1) {
    await write(context);
    await leader.compact((await revisionOf(leader)) - 20);
  }
  await eventually(
    async () => cleanedTo(),
    ([ours, theirs]) => ours === theirs,
  );
  await assertEqualHashes(context, 15);
  const before = await hashAt(leader, 0);
  for (const node of [pair.leader, pair.follower]) await node.restart();
  await pair.follower.follows();
  for (const { node } of [pair.leader, pair.follower]) {
    const { hash, revision, compactRevision } = hashKeyValues(node.database.store, before.hashRevision);
    assert.equal({ hash, hashRevision: revision, compactRevision }, before);
  }
});

test.run();
