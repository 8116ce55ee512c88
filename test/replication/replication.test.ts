import { readdirSync, rmSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { JetStreamManager } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compactionRequest } from '../../services/shim/etcd/messages.ts';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { encodeRecord, formatVersion } from '../../services/shim/log/record.ts';
import { createLogStream, findLogStreams, giveUp } from '../../services/shim/log/stream.ts';
import { streamBytesMax } from '../../services/shim/quota.ts';
import { logStream, overlayStream } from '../../shared/nats-server/names.ts';
import { subjects } from '../../shared/subjects.ts';
import { eventually } from '../eventually.ts';
import { type NodePair, startNodePair } from './node-pair.ts';

/** Both nodes' datastores on real nats-servers: follow, write alone, merge, clean, come back. */
const test = suite<{ pair: NodePair }>('replication');

test.before(async (context) => {
  context.pair = await startNodePair();
  await context.pair.follower.follows();
});
test.after(({ pair }) => pair.stop());

async function assertEqual({ leader, follower }: NodePair): Promise<void> {
  await follower.follows();
  assert.equal(await follower.contents(), await leader.contents());
}

const bandOf = (revision: number) => Math.floor(revision / 2 ** 32);

test('what is written on either node is read on the other at once', async ({ pair }) => {
  const { leader, follower } = pair;
  for (let i = 0; i < 50; i++) {
    await leader.put('/a', `${i}`);
    assert.is(await follower.get('/a'), `${i}`);
    await follower.put('/b', `${i}`);
    assert.is(await leader.get('/b'), `${i}`);
    assert.is(await follower.get('/b'), `${i}`);
  }
  await assertEqual(pair);
});

test('alone, the follower goes on in a band of its own; at healing it is merged and both are one', async ({
  pair,
}) => {
  const { leader, follower, link } = pair;
  for (const key of ['/same', '/theirs', '/mine', '/both', '/deleted-here', '/deleted-there'])
    await leader.put(key, 'base');
  await assertEqual(pair);
  link.set(true);
  await follower.isAlone();
  await follower.put('/mine', 'follower');
  await follower.put('/mine', 'follower again');
  await follower.put('/new', 'follower');
  await follower.put('/both', 'follower');
  await follower.put('/same', 'same');
  await follower.delete('/deleted-here');
  await follower.put('/deleted-there', 'kept by the follower');
  await follower.put('/registry/leases/kube-system/x', 'dropped');
  await leader.put('/theirs', 'leader');
  await leader.put('/both', 'leader');
  await leader.put('/same', 'same');
  await leader.delete('/deleted-there');
  assert.is(bandOf(follower.node.database.store.visible), 1);
  assert.is(await follower.get('/mine'), 'follower again');
  assert.is(follower.now().get('/theirs'), 'base');

  link.set(false);
  await assertEqual(pair);
  const now = leader.now();
  assert.is(now.get('/mine'), 'follower again');
  assert.is(now.get('/new'), 'follower');
  assert.is(now.get('/theirs'), 'leader');
  assert.is(now.get('/both'), 'leader');
  assert.is(now.get('/same'), 'same');
  assert.not(now.has('/deleted-here'));
  assert.not(now.has('/deleted-there'));
  assert.not(now.has('/registry/leases/kube-system/x'));
  assert.is(bandOf(leader.node.database.store.visible), 2);
  for (const { node } of [leader, follower]) {
    const conflicts = [...node.database.conflicts].map(({ key, follower }) => `${key} ${follower.value}`);
    assert.equal(conflicts.sort(), ['/both follower', '/deleted-there kept by the follower']);
  }
});

test('alone, a read has a revision of the own band: who comes from the leader never sees one go back', async ({
  pair,
}) => {
  const { leader, follower, link } = pair;
  link.set(true);
  await follower.isAlone();
  await leader.put('/unseen', 'leader');
  const { visible } = leader.node.database.store;
  assert.is(await follower.get('/unseen'), undefined);
  assert.ok(follower.node.database.store.visible > visible);
  link.set(false);
  await assertEqual(pair);
});

test('a forwarded write that a cut overtook ends when the state says alone, and not at a missed ping', async ({
  pair,
}) => {
  const { follower, link } = pair;
  follower.suppose('Follower');
  link.set(true);
  let outcome = 'waits';
  const ended = follower.put('/overtaken', 'x').catch((error: Error) => {
    outcome = error.message;
  });
  await follower.isAlone();
  assert.is(outcome, 'waits');
  const startedMs = performance.now();
  follower.suppose(null);
  await ended;
  assert.is(outcome, 'etcdserver: request timed out, possibly due to connection lost');
  assert.ok(performance.now() - startedMs < 1_000, 'it did not wait for its own limit');
  link.set(false);
  await assertEqual(pair);
});

test('a forwarded write whose answer was lost with its own nats-server does not wait for it', async ({
  pair,
}) => {
  const { follower, link, servers } = pair;
  follower.suppose('Follower');
  link.set(true);
  const ended = follower.put('/unanswered', 'x').then(
    () => 'done',
    (error: Error) => error.message,
  );
  const startedMs = performance.now();
  process.kill(servers.follower.pid ?? 0, 'SIGKILL');
  assert.is(await ended, 'etcdserver: request timed out, possibly due to connection lost');
  assert.ok(performance.now() - startedMs < 1_000, 'it did not wait for its own limit');
  link.set(false);
  follower.suppose(null);
  await assertEqual(pair);
});

test('a leader whose store is full counts as one that cannot be reached, until it has room again', async ({
  pair,
}) => {
  const { leader, follower, servers } = pair;
  const connection = await servers.connect('node-a', 'services');
  const manager = await streamManager(connection);
  const { config, state } = await manager.streams.info(logStream(1));
  await manager.streams.update(logStream(1), { ...config, max_bytes: state.bytes });
  const refusal = await leader.put('/full', 'leader').catch((error: Error) => error.message);
  assert.is(refusal, 'etcdserver: mvcc: database space exceeded');
  await leader.until(({ failure }) => failure === 'the log takes no writes: maximum bytes exceeded');
  await follower.isAlone();
  await follower.put('/full', 'follower');
  assert.is(bandOf(follower.node.database.store.visible) % 2, 1);
  await manager.streams.update(logStream(1), config);
  await leader.until(({ failure }) => failure === null);
  await assertEqual(pair);
  assert.is(leader.now().get('/full'), 'follower');
  await connection.close();
});

test('a follower that restarts while alone keeps what it wrote, and merges it later', async ({ pair }) => {
  const { leader, follower, link } = pair;
  link.set(true);
  await follower.isAlone();
  await follower.put('/before-restart', 'x');
  await follower.restart();
  assert.is(follower.now().get('/before-restart'), 'x');
  await follower.put('/after-restart', 'y');
  link.set(false);
  await assertEqual(pair);
  assert.is(leader.now().get('/before-restart'), 'x');
  assert.is(leader.now().get('/after-restart'), 'y');
});

test('what the leader changed meanwhile is no base, even if the mirror has it when the follower starts', async ({
  pair,
}) => {
  const { leader, follower, link, servers } = pair;
  await leader.put('/based', 'before');
  await assertEqual(pair);
  link.set(true);
  await follower.isAlone();
  await follower.put('/based', 'follower');
  await leader.put('/based', 'leader');
  const newest = leader.node.cluster.logSequence();
  await follower.close();
  link.set(false);
  const manager = await streamManager(await servers.connect('node-b', 'services'));
  const [mirror = ''] = await findLogStreams(manager);
  while ((await manager.streams.info(mirror)).state.last_seq < newest);
  await follower.open();
  await assertEqual(pair);
  assert.is(leader.now().get('/based'), 'leader');
  assert.ok([...leader.node.database.conflicts].some(({ key }) => key === '/based'));
});

test('a merge that is cut off goes on at the next meeting, and takes its own changes for no conflict', async ({
  pair,
}) => {
  const { leader, follower, link } = pair;
  const conflicts = leader.node.database.conflicts.size;
  for (let round = 0; round < 5; round++) {
    link.set(true);
    await follower.isAlone();
    for (let i = 0; i < 300; i++) await follower.put(`/cut/${i}`, `round ${round}`);
    link.set(false);
    // Cut again as soon as the leader has the first of it, wherever the merge is by then.
    const seen = new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (leader.now().get('/cut/0') !== `round ${round}`) return;
        clearInterval(timer);
        resolve();
      }, 1);
    });
    await seen;
    link.set(true);
    await follower.isAlone();
    await follower.put('/cut/1', `after ${round}`);
    link.set(false);
    await assertEqual(pair);
    assert.is(leader.now().get('/cut/0'), `round ${round}`);
    assert.is(leader.now().get('/cut/1'), `after ${round}`);
  }
  assert.is(leader.node.database.conflicts.size, conflicts);
});

test('a leader that restarts begins the next epoch, and the follower joins it', async ({ pair }) => {
  const { leader, follower } = pair;
  const epoch = leader.node.facts().epoch;
  await leader.restart();
  await follower.until((facts) => facts.epoch === epoch + 1 && facts.logLink === 'works');
  await follower.put('/after-epoch', 'x');
  await assertEqual(pair);
});

/** A whole copy has taken the mirror's place. */
async function assertCopiedAnew(manager: JetStreamManager, mirror: string): Promise<void> {
  const [copy = '', ...others] = await findLogStreams(manager);
  assert.is.not(copy, mirror);
  assert.equal(others, []);
  const after = (await manager.streams.info(copy)).state;
  assert.is(after.messages, after.last_seq);
}

test('a mirror with a hole is copied anew beside the old one, which is removed then', async ({ pair }) => {
  const { leader, follower, servers } = pair;
  const manager = await streamManager(await servers.connect('node-b', 'services'));
  const [mirror = ''] = await findLogStreams(manager);
  const { state } = await manager.streams.info(mirror);
  // What a mirror looks like after NATS passed over a record: nothing but its number is left.
  await manager.streams.deleteMessage(mirror, state.last_seq - 3);
  // The leader writes on all the while: what comes does not make it whole.
  let writing = true;
  const written = (async () => {
    for (let i = 0; writing; i++) await leader.put('/after-hole', `${i}`);
  })();
  await follower.restart();
  await follower.follows();
  writing = false;
  await written;
  await assertEqual(pair);
  await assertCopiedAnew(manager, mirror);
});

test('a hole that comes into a mirror beneath a node that follows is found, told and mended, without a cut', async ({
  pair,
}) => {
  const { leader, follower, servers } = pair;
  await leader.put('/before-the-hole', 'x');
  await assertEqual(pair);
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  const [mirror = ''] = await findLogStreams(manager);
  const { state } = await manager.streams.info(mirror);
  const { epoch } = leader.node.facts();
  await manager.streams.deleteMessage(mirror, state.last_seq - 1);
  await eventually(
    async () => follower.node.facts().notices,
    (notices) => notices.some((notice) => notice.startsWith('the log is copied anew from the leader')),
  );
  // What was there is read all the while.
  assert.is(follower.now().get('/before-the-hole'), 'x');
  await follower.until(({ notices, logLink }) => notices.length === 0 && logLink === 'works');
  await assertEqual(pair);
  await assertCopiedAnew(manager, mirror);
  assert.is(leader.node.facts().epoch, epoch);
  await connection.close();
});

/** Puts a stream in the mirror's place that holds the same records, but the newest, which no longer checks. */
async function spoilMirror({ servers }: NodePair): Promise<string> {
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  const [name = ''] = await findLogStreams(manager);
  const { state } = await manager.streams.info(name);
  const records: Uint8Array[] = [];
  for (let seq = 1; seq <= state.last_seq; seq++)
    records.push((await manager.streams.getMessage(name, { seq })).data);
  const spoilt = Buffer.from(records.pop() ?? []);
  spoilt[spoilt.length - 1] = (spoilt[spoilt.length - 1] ?? 0) ^ 1;
  await manager.streams.delete(name);
  await manager.streams.add({ name, subjects: [subjects.logRecords] });
  for (const record of [...records, spoilt]) await connection.request(subjects.logRecords, record);
  // With that subject it would be the log of a node that led.
  await giveUp(manager, name);
  await connection.close();
  return `record ${state.last_seq} of ${name}`;
}

test('a follower whose mirror cannot be read says so and goes on with a new copy', async ({ pair }) => {
  const { leader, follower, link } = pair;
  await leader.put('/before-spoilt', 'x');
  await assertEqual(pair);
  link.set(true);
  await follower.close();
  const record = await spoilMirror(pair);
  await follower.open();
  assert.is(follower.node.facts().failure, `${record} cannot be used: its checksum is wrong`);
  link.set(false);
  await assertEqual(pair);
  assert.is(follower.node.facts().failure, null);
});

test('an overlay for which there is no room is answered as etcd does', async ({ pair }) => {
  const { follower, link, servers } = pair;
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  link.set(true);
  await follower.isAlone();
  await createLogStream(manager, { name: overlayStream(1), subject: subjects.overlayRecords, maxBytes: 10 });
  const refusal = await follower
    .put('/no-room', 'x')
    .catch((error: Error) => `${error.name}: ${error.message}`);
  assert.is(refusal, 'EtcdError: etcdserver: mvcc: database space exceeded');
  await manager.streams.delete(overlayStream(1));
  await follower.put('/no-room', 'y');
  link.set(false);
  await assertEqual(pair);
  await connection.close();
});

test('what the overlay had no room for does not count when it is merged', async ({ pair }) => {
  const { leader, follower, link, servers } = pair;
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  const lease = 17n;
  await leader.grantLease(lease);
  await follower.follows();
  link.set(true);
  await follower.isAlone();
  await follower.put('/room', 'acknowledged');
  const { config, state } = await manager.streams.info(overlayStream(1));
  await manager.streams.update(overlayStream(1), { max_bytes: state.bytes });
  const refusal = await follower.put('/room', 'refused', lease).then(String, (error: Error) => error.message);
  assert.is(refusal, 'etcdserver: mvcc: database space exceeded');
  await manager.streams.update(overlayStream(1), { max_bytes: config.max_bytes });
  link.set(false);
  await assertEqual(pair);
  assert.is(await leader.get('/room'), 'acknowledged');
  await connection.close();
});

test('a follower whose overlay could not be opened follows again when the leader is back', async ({
  pair,
}) => {
  const { leader, follower, link, servers } = pair;
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  link.set(true);
  await follower.isAlone();
  await createLogStream(manager, { name: overlayStream(1), subject: subjects.overlayRecords, maxBytes: 10 });
  const refusal = await follower.put('/not-opened', 'x').catch((error: Error) => error.message);
  assert.is(refusal, 'etcdserver: mvcc: database space exceeded');
  link.set(false);
  await leader.put('/not-opened', 'leader');
  await assertEqual(pair);
  assert.is(await follower.get('/not-opened'), 'leader');
  await manager.streams.delete(overlayStream(1));
  await connection.close();
});

test('a removal of the overlay that has no answer is asked for again, and the node goes on, even alone', async ({
  pair,
}) => {
  const { follower, leader, link, servers } = pair;
  link.set(true);
  await follower.isAlone();
  await follower.put('/merged', 'follower');
  const tap = await servers.connect('node-b', 'services');
  const killed = new Promise<void>((resolve) => {
    const callback = () => {
      process.kill(servers.follower.pid ?? 0, 'SIGKILL');
      link.set(true);
      resolve();
    };
    tap.subscribe(`$JS.API.STREAM.DELETE.${overlayStream(1)}`, { max: 1, callback });
  });
  await tap.flush();
  link.set(false);
  await killed;
  await tap.close();
  await follower.until(({ reconverged }) => reconverged);
  assert.is(leader.now().get('/merged'), 'follower');
  // A write begun before the cut is noticed would have an unknown outcome.
  await follower.isAlone();
  await follower.put('/alone-again', 'follower');
  link.set(false);
  await assertEqual(pair);
  assert.is(leader.now().get('/alone-again'), 'follower');
});

test('kill -9 of either nats-server is survived', async ({ pair }) => {
  for (const server of [pair.servers.leader, pair.servers.follower]) {
    await pair.leader.put('/before-kill', `${server.pid}`);
    process.kill(server.pid ?? 0, 'SIGKILL');
    await pair.leader.put('/after-kill', `${server.pid}`);
    await assertEqual(pair);
  }
});

test.run();

const cleaning = suite<{ pair: NodePair }>('cleaning on two nodes');
const quotaBytes = 16 * 1024 * 1024;

cleaning.before(async (context) => {
  context.pair = await startNodePair({ quotaBytes });
  await context.pair.follower.follows();
});
cleaning.after(({ pair }) => pair.stop());

/** Writes 400 KB over ten keys, and compacts all but the newest of it. */
async function churn({ leader }: NodePair): Promise<void> {
  const value = 'x'.repeat(10_000);
  await Promise.all(Array.from({ length: 40 }, (_, i) => leader.put(`/churn/${i % 10}`, value)));
  const revision = leader.node.database.store.visible - 5;
  await leader.node.write('Compact', Buffer.from(compactionRequest.encode({ revision })));
}

async function streamState({ servers }: NodePair, node: 'node-a' | 'node-b') {
  const connection = await servers.connect(node, 'services');
  const manager = await streamManager(connection);
  const [stream = ''] = await findLogStreams(manager);
  const { state } = await manager.streams.info(stream);
  await connection.close();
  return state;
}

cleaning('ten times the quota is written, and neither node fills up', async ({ pair }) => {
  for (let round = 0; round < 400; round++) await churn(pair);
  await assertEqual(pair);
  // Cleaning goes on in the background; the writes above were never refused meanwhile.
  for (const node of ['node-a', 'node-b'] as const) {
    const { first_seq } = await eventually(
      () => streamState(pair, node),
      ({ bytes }) => bytes < quotaBytes / 4,
    );
    assert.ok(first_seq > 1);
  }
  // What is compacted is freed in memory, too, on both.
  for (const { node } of [pair.leader, pair.follower]) {
    const { versions } = node.database.store.size;
    assert.ok(versions < 200, `${versions} versions`);
  }
});

cleaning('a follower that was away while the log was cleaned comes back whole', async ({ pair }) => {
  pair.link.set(true);
  await pair.follower.close();
  for (let round = 0; round < 100; round++) await churn(pair);
  await pair.leader.put('/while-away', 'x');
  assert.ok((await streamState(pair, 'node-a')).first_seq > (await streamState(pair, 'node-b')).last_seq);
  pair.link.set(false);
  await pair.follower.open();
  await assertEqual(pair);
  await pair.follower.restart();
  await assertEqual(pair);
});

cleaning('both restart on their cleaned logs', async ({ pair }) => {
  const before = await pair.leader.contents();
  await pair.leader.restart();
  await pair.follower.restart();
  await assertEqual(pair);
  assert.equal(await pair.leader.contents(), before);
});

cleaning('a follower that lost all records of its cleaned mirror comes back whole', async ({ pair }) => {
  assert.ok((await streamState(pair, 'node-b')).first_seq > 1);
  await pair.changeStore('node-b', ({ root, store }) => {
    const records = join(store, 'jetstream', '$G', 'streams', logStream(1), 'msgs');
    for (const file of readdirSync(records).filter((name) => name.endsWith('.blk'))) {
      truncateSync(join(records, file));
    }
    rmSync(join(root, 'shim.json'));
  });
  await pair.leader.put('/behind-the-hole', 'x');
  await assertEqual(pair);
});

cleaning('a store that is 85 % full of live keys goes on being updated, on both nodes', async ({ pair }) => {
  const { leader } = pair;
  const value = 'x'.repeat(50_000);
  const keys = Math.floor((0.85 * quotaBytes) / value.length);
  const compact = async () => {
    const revision = leader.node.database.store.visible;
    await leader.node.write('Compact', Buffer.from(compactionRequest.encode({ revision })));
  };
  for (let key = 0; key < keys; key++) {
    await leader.put(`/full/${key}`, value);
    if (key % 20 === 0) await compact();
  }
  // As much again as the quota, all of it on ten keys: the rest is carried round for them.
  for (let update = 0; update < keys; update++) {
    await leader.put(`/full/${update % 10}`, value);
    if (update % 20 === 0) await compact();
  }
  await assertEqual(pair);
  assert.is(leader.node.database.alarms.raised().length, 0);
  for (const node of ['node-a', 'node-b'] as const) {
    const { bytes } = await streamState(pair, node);
    assert.ok(bytes < streamBytesMax(quotaBytes), `${node} holds ${bytes} bytes`);
  }
  await leader.restart();
  await assertEqual(pair);
});

cleaning.run();

const start = suite('starting');

start(
  'a leader with an empty store and no mark begins no cluster, and its follower stays outside',
  async () => {
    const pair = await startNodePair({ init: false });
    const refused = (call: Promise<unknown>) =>
      call.then(
        () => 'answered',
        (error: Error) => error.message,
      );
    assert.match(await refused(pair.leader.put('/a', 'x')), 'write refused');
    assert.match(await refused(pair.follower.put('/a', 'x')), 'refused');
    assert.is(await refused(pair.follower.get('/a')), 'etcdserver: no leader');
    assert.is(pair.follower.node.facts().neverJoined, true);
    await pair.stop();
  },
);

start('a log that a newer version wrote is named, not served', async () => {
  const pair = await startNodePair();
  await pair.follower.follows();
  await pair.leader.close();
  const newer = encodeRecord({
    previousChain: 0,
    epoch: 9,
    firstRevision: 1,
    lastRevision: 1,
    timeMs: 0,
    entries: [],
  });
  newer[2] = formatVersion + 1;
  const connection = await pair.servers.connect('node-a', 'services');
  // The follower may have been shown what it lacks by a record more.
  const { state } = await (await streamManager(connection)).streams.info(logStream(1));
  await connection.request(subjects.logRecords, newer);
  const outcome = await pair.leader.open().then(
    () => 'opened',
    (error: Error) => `${error.name}: ${error.message}`,
  );
  assert.is(
    outcome,
    `UserError: record ${state.last_seq + 1} of TWONODE_LOG_1 cannot be used: it has format 2, this twonode reads format 1: use the version of twonode that wrote it`,
  );
  await pair.stop();
});

start('malformed messages of the peer are ignored, and the nodes go on', async () => {
  const pair = await startNodePair();
  await pair.follower.follows();
  const garbage = [new Uint8Array(), Buffer.from('{'), Buffer.from('{"v":2}'), Buffer.alloc(1_000, 0xff)];
  for (const [from, to] of [
    ['node-b', 'node-a'],
    ['node-a', 'node-b'],
  ] as const) {
    const connection = await pair.servers.connect(from, 'services');
    for (const method of ['hello', 'ping', 'read-index', 'stored', 'commit', 'write', 'merge']) {
      for (const data of garbage) connection.publish(subjects.rpc(to, method), data);
    }
    await connection.flush();
  }
  await pair.follower.put('/after', 'x');
  assert.is(await pair.leader.get('/after'), 'x');
  await pair.stop();
});

start.run();
