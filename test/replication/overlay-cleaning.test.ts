import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compactionRequest } from '../../services/shim/etcd/messages.ts';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { findLogStreams } from '../../services/shim/log/stream.ts';
import { overlayStream } from '../../shared/nats-server/names.ts';
import { eventually } from '../eventually.ts';
import { type NodePair, startNodePair } from './node-pair.ts';

/** A follower that is alone for long: what it wrote is cleaned as a log is, and merged as if nothing had been. */
const test = suite<{ pair: NodePair }>('cleaning of the overlay');
const quotaBytes = 2 * 1024 * 1024;
const roundsOfQuota = 6;

test.before.each(async (context) => {
  context.pair = await startNodePair({ quotaBytes });
  await context.pair.follower.follows();
});
test.after.each(({ pair }) => pair.stop());

async function compact({ follower }: NodePair): Promise<void> {
  const { visible: revision, compacted } = follower.node.database.store;
  if (revision === compacted) return;
  await follower.node.write('Compact', Buffer.from(compactionRequest.encode({ revision })));
}

/** Writes 400 KB over ten keys, and compacts all that is older. */
async function churn(pair: NodePair, round: number): Promise<void> {
  const value = `${round} `.padEnd(10_000, 'x');
  await Promise.all(Array.from({ length: 40 }, (_, i) => pair.follower.put(`/churn/${i % 10}`, value)));
  await compact(pair);
}

async function churnTwiceTheQuota(pair: NodePair, from: number): Promise<void> {
  for (let round = from; round < from + 2 * roundsOfQuota; round++) await churn(pair, round);
}

async function overlayState({ servers }: NodePair) {
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  const { state } = await manager.streams.info(overlayStream(1));
  await connection.close();
  return state;
}

/** Waits until what was written up to now is cleaned away. */
async function untilCleaned(pair: NodePair): Promise<void> {
  const { last_seq } = await overlayState(pair);
  await churnTwiceTheQuota(pair, 0);
  await eventually(
    () => overlayState(pair),
    ({ first_seq }) => first_seq > last_seq,
  );
}

test('several times the quota is written alone, the shim is killed in between, and all of it is merged', async ({
  pair,
}) => {
  const { leader, follower, link } = pair;
  for (const key of ['/changed', '/deleted', '/deleted-then-new', '/both', '/same', '/theirs', '/leased'])
    await leader.put(key, 'base');
  for (let i = 0; i < 20; i++) await leader.put(`/mirrored/${i}`, 'm'.repeat(50_000));
  const lease = 9n;
  await leader.grantLease(lease);
  await follower.follows();
  link.set(true);
  await follower.isAlone();
  await follower.put('/changed', 'of the follower');
  await follower.delete('/deleted');
  await follower.delete('/deleted-then-new');
  await follower.put('/deleted-then-new', 'new');
  await follower.put('/both', 'of the follower');
  await follower.put('/same', 'same');
  await follower.put('/new', 'of the follower');
  await follower.put('/new-and-gone', 'x');
  await follower.delete('/new-and-gone');
  await follower.put('/leased', 'dropped', lease);
  await leader.put('/both', 'of the leader');
  await leader.put('/same', 'same');
  await leader.put('/theirs', 'of the leader');
  const mirrorFirst = (await mirrorState(pair)).first_seq;

  await untilCleaned(pair);
  const before = await follower.contents();
  const { compacted, head } = follower.node.database.store;
  await follower.kill();
  assert.equal(await follower.contents(), before);
  assert.is(follower.node.database.store.compacted, compacted);
  assert.is(follower.node.database.store.head, head);
  assert.is(await follower.get('/deleted'), undefined, 'it does not rise again from the mirror');
  // A second time round, with what was stated again.
  await untilCleaned(pair);
  await churnTwiceTheQuota(pair, 500);
  const { bytes } = await overlayState(pair);
  assert.ok(bytes < quotaBytes, `${bytes} bytes`);
  assert.equal(follower.node.database.alarms.raised(), []);
  assert.is((await mirrorState(pair)).first_seq, mirrorFirst, 'the mirror is left as it is');
  await follower.kill();

  link.set(false);
  await follower.follows();
  assert.equal(await follower.contents(), await leader.contents());
  const now = leader.now();
  assert.is(now.get('/changed'), 'of the follower');
  assert.not(now.has('/deleted'));
  assert.is(now.get('/deleted-then-new'), 'new');
  assert.is(now.get('/both'), 'of the leader');
  assert.is(now.get('/same'), 'same');
  assert.is(now.get('/new'), 'of the follower');
  assert.not(now.has('/new-and-gone'));
  assert.is(now.get('/theirs'), 'of the leader');
  assert.is(now.get('/leased'), 'base');
  for (let i = 0; i < 10; i++) assert.match(now.get(`/churn/${i}`) ?? '', /^511 /);
  for (const { node } of [leader, follower]) {
    const conflicts = [...node.database.conflicts].map(({ key, follower }) => `${key} ${follower.value}`);
    assert.equal(conflicts, ['/both of the follower']);
  }
});

async function mirrorState({ servers }: NodePair) {
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  const [mirror = ''] = await findLogStreams(manager);
  const { state } = await manager.streams.info(mirror);
  await connection.close();
  return state;
}

test('a merge that is broken off goes on with what is cleaned meanwhile', async ({ pair }) => {
  const { leader, follower, link } = pair;
  for (const key of ['/a', '/b']) await leader.put(key, 'base');
  await follower.follows();
  link.set(true);
  await follower.isAlone();
  for (let i = 0; i < 300; i++) await follower.put(`/merged/${i}`, 'first');
  await follower.put('/a', 'first');
  link.set(false);
  await eventually(
    async () => leader.now().get('/merged/0'),
    (value) => value === 'first',
  );
  link.set(true);
  await follower.isAlone();
  // What the leader has of it by now must go there too.
  await follower.delete('/merged/0');
  await follower.put('/a', 'second');
  await follower.delete('/b');
  await untilCleaned(pair);
  await follower.kill();
  link.set(false);
  await follower.follows();
  assert.equal(await follower.contents(), await leader.contents());
  const now = leader.now();
  assert.not(now.has('/merged/0'));
  assert.is(now.get('/merged/299'), 'first');
  assert.is(now.get('/a'), 'second');
  assert.not(now.has('/b'));
  assert.is(leader.node.database.conflicts.size, 0);
});

test('killed while it is cleaned, again and again, the overlay stays as it is', async ({ pair }) => {
  const { leader, follower, link, servers } = pair;
  await leader.put('/deleted', 'base');
  await follower.follows();
  link.set(true);
  await follower.isAlone();
  await follower.delete('/deleted');
  for (let i = 0; i < 20; i++) await follower.put(`/kept/${i}`, `${i} `.padEnd(20_000, 'k'));
  for (let round = 0; round < 4; round++) {
    // A kill may have come before what the round before wrote was compacted: that would fill the quota.
    await compact(pair);
    const tap = await servers.connect('node-b', 'services');
    // Before the purge, that is, behind the record that says what is cleaned.
    const killed = new Promise<void>((resolve, reject) => {
      const callback = () => void follower.kill().then(resolve, reject);
      tap.subscribe(`$JS.API.STREAM.PURGE.${overlayStream(1)}`, { max: 1, callback });
    });
    await tap.flush();
    const writing = churnTwiceTheQuota(pair, round).catch(() => undefined);
    await Promise.all([killed, writing]);
    await tap.close();
    assert.is(follower.now().get('/deleted'), undefined);
    for (let i = 0; i < 20; i++) assert.match(follower.now().get(`/kept/${i}`) ?? '', new RegExp(`^${i} `));
  }
  link.set(false);
  await follower.follows();
  assert.equal(await follower.contents(), await leader.contents());
  assert.not(leader.now().has('/deleted'));
  for (let i = 0; i < 20; i++) assert.match(leader.now().get(`/kept/${i}`) ?? '', new RegExp(`^${i} `));
  assert.is(leader.node.database.conflicts.size, 0);
});

test.run();
