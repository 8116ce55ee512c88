import * as assert from 'uvu/assert';
import {
  alarmAction,
  alarmRequest,
  alarmResponse,
  alarmType,
  hashKvRequest,
  hashKvResponse,
  hashResponse,
  healthCheckResponse,
  leaseGrantRequest,
  memberListResponse,
  moveLeaderRequest,
  statusResponse,
} from '../../services/shim/etcd/messages.ts';
import { compare, EtcdClient, op, putOf } from '../etcd-client.ts';
import { besideEtcd } from './beside-etcd.ts';

const { test, same } = besideEtcd('etcd maintenance beside a real etcd');

const alarm = (client: EtcdClient, action: number, type: number, memberId = 0n) =>
  client
    .call('Maintenance/Alarm', alarmRequest.encode({ action, alarm: type, memberId }))
    .then((bytes) => alarmResponse.decode(bytes));
const hashKv = (client: EtcdClient, revision: number) =>
  client
    .call('Maintenance/HashKV', hashKvRequest.encode({ revision }))
    .then((bytes) => hashKvResponse.decode(bytes));
const errorsIn = (client: EtcdClient) =>
  client
    .call('Maintenance/Status', Buffer.alloc(0))
    .then((bytes) => statusResponse.decode(bytes).errors.map((text) => text.replace(/\d+/, 'ID')));

same('the NOSPACE alarm: what it refuses, and what it lets pass', async (client, record) => {
  const { get, activate, deactivate } = alarmAction;
  const member = 77n;
  for (const key of ['n/1', 'n/2', 'n/3']) await client.put({ key, value: 'before' });
  await record(alarm(client, get, alarmType.none));
  await record(alarm(client, activate, alarmType.none, member));
  await record(alarm(client, deactivate, alarmType.noSpace, member));
  await record(alarm(client, activate, alarmType.noSpace, member));
  await record(alarm(client, activate, alarmType.noSpace, member));
  await record(alarm(client, get, alarmType.none));
  await record(alarm(client, get, alarmType.noSpace));
  await record(alarm(client, get, alarmType.corrupt));
  await record(errorsIn(client));
  const put = op({ requestPut: putOf('n/1', 'v') });
  const del = op({ requestDeleteRange: { key: 'n/1', rangeEnd: '', prevKv: false } });
  await record(client.put({ key: 'n/1', value: 'refused' }));
  await record(client.txn({ success: [put] }));
  await record(
    client.txn({ compare: [compare({ key: 'none', version: 5 })], success: [put], failure: [del] }),
  );
  await record(client.leaseGrant(60, 60n));
  await record(client.range({ key: 'n/', rangeEnd: 'n0' }));
  await record(client.txn({ success: [del] }));
  await record(client.deleteRange({ key: 'n/2' }));
  const revision = (await client.range({ key: 'n' })).header?.revision ?? 0;
  await record(client.compact(revision));
  await record(alarm(client, deactivate, alarmType.noSpace, member));
  await record(alarm(client, get, alarmType.none));
  await record(client.put({ key: 'n/1', value: 'taken' }));
  await record(errorsIn(client));
});

same('hashes of revisions that are not there, defragmentation, moving the leader', async (client, record) => {
  const revision = (await client.put({ key: 'h', value: '1' })).header?.revision ?? 0;
  await client.put({ key: 'h', value: '2' });
  await client.compact(revision);
  await record(hashKv(client, revision - 1));
  await record(hashKv(client, revision + 2));
  await record(hashKv(client, 0).then((answer) => ({ ...answer, hash: 0 })));
  // etcd has kept the hash of the compaction itself, with the compact revision before it.
  await record(hashKv(client, revision).then(({ hashRevision }) => hashRevision));
  await record(
    client.call('Maintenance/Hash', Buffer.alloc(0)).then((bytes) => hashResponse.decode(bytes).header),
  );
  await record(client.call('Maintenance/Defragment', Buffer.alloc(0)));
  await record(client.call('Maintenance/MoveLeader', moveLeaderRequest.encode({ targetId: 5n })));
  const { members } = memberListResponse.decode(await client.call('Cluster/MemberList', Buffer.alloc(0)));
  await record(
    client.call('Maintenance/MoveLeader', moveLeaderRequest.encode({ targetId: members[0]?.id ?? 0n })),
  );
  await record(client.call('Lease/LeaseRevoke', leaseGrantRequest.encode({ ttl: 1 })));
});

same('health', async (client, record) => {
  const check = (service: string) =>
    client
      .call('/grpc.health.v1.Health/Check', Buffer.of(0x0a, service.length, ...Buffer.from(service)))
      .then((bytes) => healthCheckResponse.decode(bytes));
  await record(check(''));
  await record(check('nothing'));
});

same('a watch answer above the limit is cut into fragments', async (client, record) => {
  const half = 'x'.repeat(700 * 1024);
  const both = (value: string) => ({
    success: [op({ requestPut: putOf('fr/1', value) }), op({ requestPut: putOf('fr/2', value) })],
  });
  await client.txn(both(half));
  const watch = client.watch();
  watch.create({ key: 'fr/', rangeEnd: 'fr0', prevKv: true, fragment: true });
  watch.create({ key: 'fr/', rangeEnd: 'fr0', prevKv: true });
  await watch.next();
  await watch.next();
  await client.txn(both(half.toUpperCase()));
  const answers = [await watch.next(), await watch.next(), await watch.next()];
  const shapes = answers.map(({ watchId, fragment, events, header }) => ({
    watchId,
    fragment,
    revision: header?.revision,
    events: events.map(({ kv, prevKv }) => `${kv?.key} ${kv?.value.length} ${prevKv?.value.length}`),
  }));
  await record(Promise.resolve(shapes.filter(({ watchId }) => watchId === 0)));
  await record(Promise.resolve(shapes.filter(({ watchId }) => watchId === 1)));
  watch.cancel();
});

test('a hash tells content and revision, also after a restart', async ({ twonode }) => {
  const client = new EtcdClient(twonode.address);
  const before = await hashKv(client, 0);
  await client.put({ key: 'other', value: 'x' });
  const after = await hashKv(client, 0);
  assert.is.not(after.hash, before.hash);
  assert.is((await hashKv(client, before.hashRevision)).hash, before.hash);
  await twonode.killAndRestart();
  assert.equal(await hashKv(client, 0).then(({ header, ...rest }) => rest), withoutHeader(after));
  client.close();
});

test('every header names cluster, member and term', async ({ twonode }) => {
  const client = new EtcdClient(twonode.address);
  const members = memberListResponse.decode(await client.call('Cluster/MemberList', Buffer.alloc(0)));
  const watch = client.watch();
  watch.create({ key: 'header' });
  const headers = [
    (await client.put({ key: 'header' })).header,
    (await client.range({ key: 'header' })).header,
    (await client.deleteRange({ key: 'header' })).header,
    (await client.txn({})).header,
    (await client.leaseGrant(60, 4_321n)).header,
    (await client.keepAliveOnce(4_321n)).header,
    (await watch.next()).header,
    (await watch.next()).header,
    members.header,
  ];
  for (const header of headers) {
    assert.is(header?.memberId, members.members[0]?.id);
    assert.is(header?.clusterId, members.header?.clusterId);
    assert.ok((header?.raftTerm ?? 0) > 0);
    assert.ok((header?.revision ?? 0) > 0);
  }
  watch.cancel();
  client.close();
});

function withoutHeader({ header, ...rest }: Awaited<ReturnType<typeof hashKv>>) {
  return rest;
}

test.run();
