import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { findLogStreams, findStream } from '../../services/shim/log/stream.ts';
import { removeOverlay } from '../../services/shim/replication/overlay.ts';
import { bandSize } from '../../services/shim/store/revision-band.ts';
import { logStream, overlayStream } from '../../shared/nats-server/names.ts';
import { nodePaths } from '../../shared/paths.ts';
import { subjects } from '../../shared/subjects.ts';
import { EtcdClient } from '../etcd-client.ts';
import { type NodeFolders, type NodePair, startNodePair } from './node-pair.ts';
import { serveEtcd } from './serve-etcd.ts';

/** What each node does when its disk lost something: all of the log, the end of it, or something in the middle. */
const test = suite<{ pair: NodePair }>('recovery');

test.before.each(async (context) => {
  context.pair = await startNodePair();
  await context.pair.follower.follows();
});
test.after.each(({ pair }) => pair.stop());

async function write({ leader }: NodePair, prefix: string, count: number): Promise<void> {
  await Promise.all(
    Array.from({ length: 4 }, (_, lane) => writeLane(leader, `${prefix}/${lane}`, count / 4)),
  );
}

async function writeLane(leader: NodePair['leader'], prefix: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await leader.put(`${prefix}/${i}`, `${prefix} ${i}`);
}

async function assertEqual({ leader, follower }: NodePair): Promise<string[]> {
  await leader.until(({ logVerified }) => logVerified);
  await follower.follows();
  const sequence = leader.node.cluster.logSequence();
  await until('the mirror is there', () => follower.node.cluster.logSequence() >= sequence);
  const contents = await leader.contents();
  assert.equal(await follower.contents(), contents);
  return contents;
}

/** A copy of all that a node keeps, which can be put back later. */
function backUp({ root }: NodeFolders): void {
  cpSync(root, `${root}.backup`, { recursive: true });
}

function putBack({ root }: NodeFolders): void {
  rmSync(root, { recursive: true });
  cpSync(`${root}.backup`, root, { recursive: true });
}

function lose({ root }: NodeFolders): void {
  rmSync(root, { recursive: true });
}

/** It is another boot: what was verified in the last one counts no more. */
function forgetBoot({ root }: NodeFolders): void {
  rmSync(join(root, 'shim.json'));
}

/** It is another boot, but what was said at the last stop is known. */
function changeBoot({ root }: NodeFolders): void {
  const file = join(root, 'shim.json');
  const point = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...point, boot_id: 'an earlier boot' }));
}

/** The file that holds the records of a stream, by default of the log: they are few enough for one. */
function recordsFile({ store }: NodeFolders, stream = logStream(1)): string {
  const folder = join(store, 'jetstream', '$G', 'streams', stream, 'msgs');
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.blk')) ?? '');
}

/** The last bytes of the newest record are others; its nats-server takes it for whole. */
function tearEnd(folders: NodeFolders, stream: string): void {
  const file = recordsFile(folders, stream);
  const bytes = readFileSync(file);
  bytes.fill(0, bytes.length - 24);
  writeFileSync(file, bytes);
}

/** Resolves when it is so; looked at again and again. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`still not so: ${what}`);
    await setImmediate();
  }
}

async function recordsOf({ servers }: NodePair, name: 'node-a' | 'node-b'): Promise<number> {
  const connection = await servers.connect(name, 'services');
  const info = await findStream(await streamManager(connection), 'TWONODE_LOG_1');
  await connection.close();
  return info?.state.messages ?? 0;
}

async function streamsOf({ servers }: NodePair, name: 'node-a' | 'node-b'): Promise<string[]> {
  const connection = await servers.connect(name, 'services');
  const streams = await findLogStreams(await streamManager(connection));
  await connection.close();
  return streams;
}

test('a leader that lost its disk takes the whole log from its follower before it leads', async ({
  pair,
}) => {
  await write(pair, '/before', 200);
  const before = await assertEqual(pair);
  pair.link.set(true);
  await pair.changeStore('node-a', lose);
  const refusal = await pair.leader.put('/early', 'x').then(
    () => 'answered',
    (error: Error) => error.message,
  );
  assert.match(refusal, 'write refused');
  const reading = await pair.leader.get('/before/0/0').then(
    () => 'answered',
    (error: Error) => error.message,
  );
  assert.match(reading, 'no leader', 'an empty store is no answer');
  const revision = pair.follower.node.database.store.visible;
  pair.link.set(false);
  assert.equal(await assertEqual(pair), before);
  const head = pair.leader.node.database.store.visible;
  assert.ok(head > revision + bandSize, 'what its disk alone knew is not given again');
  await pair.follower.put('/after', 'x');
  assert.is((await assertEqual(pair)).length, before.length + 1);
});

test('a follower that was off writes nothing alone before the logs are compared, and then in another band', async ({
  pair,
}) => {
  await write(pair, '/before', 40);
  pair.link.set(true);
  await pair.follower.isAlone();
  await pair.follower.put('/alone', '1');
  const { visible } = pair.follower.node.database.store;
  await pair.changeStore('node-b', forgetBoot);
  pair.follower.suppose('LeaderRX');
  const refusal = await pair.follower.put('/alone', '2').then(
    () => 'answered',
    (error: Error) => error.message,
  );
  assert.match(refusal, 'write refused');
  pair.follower.suppose(null);
  pair.link.set(false);
  await assertEqual(pair);
  assert.is(await pair.leader.get('/alone'), '1');
  assert.ok(pair.leader.node.database.store.visible > visible + bandSize);
});

test('what was written alone is merged, though the mirror below it has lost its end', async ({ pair }) => {
  await write(pair, '/before', 40);
  await pair.changeStore('node-b', backUp);
  await write(pair, '/more', 40);
  await assertEqual(pair);
  pair.link.set(true);
  await pair.follower.isAlone();
  await pair.follower.put('/alone', '1');
  await pair.changeStore('node-b', ({ root, store }) => {
    const streams = join('jetstream', '$G', 'streams');
    const mirror = join(store, streams, 'TWONODE_LOG_1');
    rmSync(mirror, { recursive: true });
    cpSync(join(`${root}.backup`, relative(root, store), streams, 'TWONODE_LOG_1'), mirror, {
      recursive: true,
    });
    forgetBoot({ root, store });
  });
  pair.link.set(false);
  await assertEqual(pair);
  assert.is(await pair.leader.get('/alone'), '1');
});

test('an overlay that is torn when the power fails is merged as far as it is good', async ({ pair }) => {
  await write(pair, '/before', 40);
  await pair.follower.follows();
  pair.link.set(true);
  await pair.follower.isAlone();
  for (let i = 0; i < 10; i++) await pair.follower.put(`/alone/${i}`, '1');
  await pair.changeStore('node-b', (folders) => {
    tearEnd(folders, overlayStream(1));
    forgetBoot(folders);
  });
  assert.match(pair.follower.node.facts().failure ?? '', 'has lost its records');
  assert.is(await pair.follower.get('/alone/8'), '1');
  pair.link.set(false);
  await assertEqual(pair);
  for (let i = 0; i < 9; i++) assert.is(await pair.leader.get(`/alone/${i}`), '1');
});

test('a leader that came back with an older log takes what it lacks before it leads', async ({ pair }) => {
  await write(pair, '/before', 40);
  await pair.changeStore('node-a', backUp);
  await write(pair, '/lost', 200);
  const before = await assertEqual(pair);
  await pair.changeStore('node-a', (folders) => {
    putBack(folders);
    forgetBoot(folders);
  });
  assert.equal(await assertEqual(pair), before);
});

for (const [fate, keep, change] of [
  ['wiped', () => undefined, ({ store }: NodeFolders) => rmSync(store, { recursive: true })],
  [
    'rolled back',
    ({ store }: NodeFolders) => backUp({ root: store, store }),
    ({ store }: NodeFolders) => putBack({ root: store, store }),
  ],
] as const) {
  test(`a leader whose store is ${fate} while it runs takes what it lacks from its follower`, async ({
    pair,
  }) => {
    await write(pair, '/before', 40);
    await pair.changeStore('node-a', keep);
    await assertEqual(pair);
    await write(pair, '/lost', 80);
    const before = await assertEqual(pair);
    const { node } = pair.leader;
    await pair.changeStoreBeneath('node-a', change);
    await until('the leader starts anew', () => !pair.leader.hasFailed && pair.leader.node !== node);
    assert.equal(await assertEqual(pair), before);
    await pair.follower.put('/after', 'x');
    assert.is((await assertEqual(pair)).length, before.length + 1);
  });
}

test('a restore that is killed at any step goes on where it stopped', async ({ pair }) => {
  await write(pair, '/before', 600);
  const before = await assertEqual(pair);
  const records = await recordsOf(pair, 'node-b');
  pair.link.set(true);
  await pair.changeStore('node-a', lose);
  for (const part of [0.1, 0.4, 0.7]) {
    pair.link.set(false);
    await until(`${part} is restored`, async () => (await recordsOf(pair, 'node-a')) > records * part);
    await pair.leader.kill();
    assert.is(pair.leader.node.facts().logVerified, false);
  }
  assert.equal(await assertEqual(pair), before);
});

/** Does something when the leader asks its follower for records of the log for the third time: its restore is under way then. */
async function amidRestore({ servers }: NodePair, act: () => void | Promise<void>): Promise<void> {
  const connection = await servers.connect('node-a', 'services');
  const asked = connection.subscribe(subjects.rpc('node-b', 'log'), { max: 3 });
  await connection.flush();
  let count = 0;
  for await (const _ of asked) if (++count === 3) await act();
  await connection.close();
}

/** A leader that holds acknowledged records which its follower lacks, and whose file is damaged behind them. @returns their keys */
async function keepAlone(pair: NodePair): Promise<string[]> {
  const { leader, link } = pair;
  await write(pair, '/before', 600);
  await assertEqual(pair);
  link.set(true);
  await pair.follower.isAlone();
  await write(pair, '/alone', 200);
  await pair.changeStore('node-a', (folders) => {
    const file = recordsFile(folders);
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(7, bytes.length - 400, bytes.length - 300));
    forgetBoot(folders);
  });
  const kept = [...leader.now().keys()].filter((key) => key.startsWith('/alone/'));
  assert.ok(kept.length > 100, `the damage is behind ${kept.length} of them`);
  return kept;
}

const cuts: [string, (pair: NodePair) => Promise<void>][] = [
  ['its node is killed', (pair) => amidRestore(pair, () => pair.leader.kill())],
  [
    'the link flaps',
    async (pair) => {
      await amidRestore(pair, () => pair.link.set(true));
      pair.link.set(false);
    },
  ],
  [
    'its node is killed with the link cut',
    async (pair) => {
      await amidRestore(pair, () => pair.link.set(true));
      await pair.leader.kill();
      pair.link.set(false);
    },
  ],
];
for (const [what, cutOff] of cuts) {
  test(`a log that is made anew loses nothing that the leader alone acknowledged, though ${what} meanwhile`, async ({
    pair,
  }) => {
    const kept = await keepAlone(pair);
    const isCutOff = cutOff(pair);
    pair.link.set(false);
    await isCutOff;
    await assertEqual(pair);
    const now = pair.follower.now();
    assert.equal(
      kept.filter((key) => !now.has(key)),
      [],
    );
    assert.is([...now.keys()].filter((key) => key.startsWith('/before/')).length, 600);
    await pair.follower.put('/after', 'x');
    await assertEqual(pair);
  });
}

const older: [string, (folders: NodeFolders) => void][] = [
  ['came back with an older log', putBack],
  ['lost its disk', lose],
];
for (const [what, change] of older) {
  /** Its restore is cut off with the link, and the wait after boot is over. */
  const cutOff = async (pair: NodePair): Promise<string[]> => {
    await write(pair, '/before', 40);
    await pair.changeStore('node-a', backUp);
    await write(pair, '/lost', 400);
    const before = await assertEqual(pair);
    pair.link.set(true);
    await pair.changeStore('node-a', (folders) => {
      change(folders);
      rmSync(join(folders.root, 'shim.json'), { force: true });
    });
    const isCutOff = amidRestore(pair, () => pair.link.set(true));
    pair.link.set(false);
    await isCutOff;
    pair.leader.bootGraceIsOver = true;
    return before;
  };

  test(`a leader that ${what} leads with all of it or not at all, though the link is cut while it gets it back`, async ({
    pair,
  }) => {
    const before = await cutOff(pair);
    for (const start of ['as it is', 'started again']) {
      if (start === 'started again') await pair.leader.kill();
      // It looks once a second whether it may go on alone.
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      assert.is(pair.leader.node.facts().logVerified, false, start);
      assert.match(pair.leader.node.facts().failure ?? '', /node-a lacks records.*twonode promote/);
      await assertFails(pair.leader.get('/before/0/0'), 'no leader');
      await assertFails(pair.leader.put('/early', 'x'), 'write refused');
    }
    pair.leader.bootGraceIsOver = false;
    pair.link.set(false);
    assert.equal(await assertEqual(pair), before);
    await pair.leader.restart();
    await assertEqual(pair);
    assert.is(pair.leader.node.facts().failure, null);
  });

  test(`a leader that ${what} and got back a part of it leads with that when a person says that the follower is gone`, async ({
    pair,
  }) => {
    const before = await cutOff(pair);
    await pair.leader.kill();
    const { promoteMark, restoreMark } = nodePaths(pair.config, 'node-a');
    writeFileSync(promoteMark, '');
    await pair.leader.until(({ logVerified }) => logVerified);
    assert.not(existsSync(promoteMark));
    assert.not(existsSync(restoreMark));
    await pair.leader.put('/after', 'x');
    await pair.leader.restart();
    assert.is(await pair.leader.get('/after'), 'x');
    // It was not gone, after all.
    pair.link.set(false);
    assert.is((await assertEqual(pair)).length, before.length + 1);
  });
}

async function assertFails(promise: Promise<unknown>, text: string): Promise<void> {
  const outcome = await promise.then(
    () => 'answered',
    (error: Error) => error.message,
  );
  assert.match(outcome, text);
}

for (const [damage, change] of [
  ['cut off', (bytes: Buffer) => bytes.subarray(0, Math.floor(bytes.length * 0.6))],
  [
    'changed in the middle',
    (bytes: Buffer) => Buffer.from(bytes).fill(7, bytes.length >> 1, (bytes.length >> 1) + 99),
  ],
] as const) {
  for (const node of ['node-a', 'node-b'] as const) {
    test(`a log whose file is ${damage} on ${node} is mended from the other`, async ({ pair }) => {
      await write(pair, '/before', 80);
      const before = await assertEqual(pair);
      await pair.changeStore(node, (folders) => {
        const file = recordsFile(folders);
        writeFileSync(file, change(readFileSync(file)));
        forgetBoot(folders);
      });
      assert.equal(await assertEqual(pair), before);
      await pair.follower.put('/after', 'x');
      await assertEqual(pair);
    });
  }
}

/** The leader forgets what it wrote last, and writes on without its follower, which keeps it. */
async function fork(pair: NodePair): Promise<void> {
  for (const key of ['/both', '/lost', '/deleted']) await pair.leader.put(key, 'before');
  await assertEqual(pair);
  await pair.changeStore('node-a', backUp);
  for (const key of ['/both', '/lost', '/new']) await pair.leader.put(key, 'kept by the follower');
  await pair.leader.delete('/deleted');
  await assertEqual(pair);
  pair.link.set(true);
  // Within the same boot it finds its verified point, and leads alone.
  await pair.changeStore('node-a', putBack);
  await pair.leader.put('/both', 'of the leader');
  await pair.follower.isAlone();
}

async function assertMerged(pair: NodePair): Promise<void> {
  await assertEqual(pair);
  const now = pair.leader.now();
  assert.is(now.get('/both'), 'of the leader');
  assert.is(now.get('/lost'), 'kept by the follower');
  assert.is(now.get('/new'), 'kept by the follower');
  assert.not(now.has('/deleted'));
  const conflicts = [...pair.leader.node.database.conflicts].map(
    ({ key, follower }) => `${key} ${follower.value}`,
  );
  assert.equal(conflicts, ['/both kept by the follower']);
  assert.equal(await streamsOf(pair, 'node-b'), ['TWONODE_LOG_2']);
}

test('what an older leader wrote on its own, and what its follower kept, is merged', async ({ pair }) => {
  await fork(pair);
  const revision = pair.follower.node.database.store.visible;
  await pair.follower.put('/alone', 'of the follower');
  pair.link.set(false);
  await assertMerged(pair);
  assert.is(pair.leader.now().get('/alone'), 'of the follower');
  // Two histories have used the same revisions: neither shows them any more.
  assert.ok(pair.leader.node.database.store.compacted > revision);
});

test('a damaged log of another history than the follower has is not thrown away without a word', async ({
  pair,
}) => {
  await fork(pair);
  await pair.leader.put('/only/leader', 'x');
  await write(pair, '/more', 40);
  await pair.changeStore('node-a', (folders) => {
    const file = recordsFile(folders);
    const bytes = readFileSync(file);
    writeFileSync(file, bytes.fill(7, bytes.length - 400, bytes.length - 300));
  });
  pair.link.set(false);
  const isSaid = () => pair.leader.node.facts().notices.some((text) => /another history/.test(text));
  await until('it is said', isSaid);
  assert.is(pair.leader.now().get('/only/leader'), 'x');
  assert.is(pair.leader.node.facts().logVerified, false);
  await pair.leader.restart();
  assert.is(pair.leader.now().get('/only/leader'), 'x');
  // A person gives it up.
  await pair.changeStore('node-a', lose);
  await assertEqual(pair);
  assert.is(await pair.leader.get('/new'), 'kept by the follower');
});

test('a conflict that the leader lost is taken back from its follower', async ({ pair }) => {
  const { leader, follower, link } = pair;
  await leader.put('/both', 'before');
  await assertEqual(pair);
  link.set(true);
  await follower.isAlone();
  await follower.put('/both', 'of the follower');
  await leader.put('/both', 'of the leader');
  await pair.changeStore('node-a', backUp);
  link.set(false);
  await assertEqual(pair);
  link.set(true);
  await pair.changeStore('node-a', putBack);
  assert.is(leader.node.database.conflicts.size, 0);
  await leader.put('/more', 'x');
  await follower.isAlone();
  link.set(false);
  await assertEqual(pair);
  for (const { node } of [leader, follower]) {
    const lost = [...node.database.conflicts].map((one) => `${one.key} ${one.follower.value}`);
    assert.equal(lost, ['/both of the follower']);
  }
});

const steps: [string, (pair: NodePair) => boolean | Promise<boolean>][] = [
  ['the new copy is begun', async (pair) => (await streamsOf(pair, 'node-b')).length === 2],
  ['the leader has merged', ({ leader }) => leader.now().has('/new')],
];
for (const [step, isThere] of steps) {
  test(`a follower that is killed when ${step} goes on with the repair`, async ({ pair }) => {
    await fork(pair);
    pair.link.set(false);
    await until(step, () => isThere(pair));
    await pair.follower.kill();
    await assertMerged(pair);
  });
}

const bandOf = ({ node }: NodePair['leader']) => Math.floor(node.database.store.visible / bandSize);

test('a follower that is stopped and booted disturbs no client of its leader', async ({ pair }) => {
  const { leader, follower } = pair;
  await write(pair, '/before', 40);
  await assertEqual(pair);
  const server = await serveEtcd(leader.node);
  const client = new EtcdClient(server.address);
  const watch = client.watch();
  watch.create({ key: '/watched' });
  await watch.next();
  for (const value of ['1', '2']) {
    await follower.reboot();
    await assertEqual(pair);
    await follower.put('/watched', value);
    const { events } = await watch.next();
    assert.equal(
      events.map(({ kv }) => kv?.value.toString()),
      [value],
    );
  }
  assert.is(bandOf(leader), 0);
  watch.cancel();
  client.close();
  await server.stop();
});

test('a leader that is stopped and booted goes on in its band, if its follower has not written alone', async ({
  pair,
}) => {
  const { leader, follower } = pair;
  await write(pair, '/before', 40);
  const before = await assertEqual(pair);
  await leader.reboot();
  assert.equal(await assertEqual(pair), before);
  assert.is(bandOf(leader), 0);
  // What it wrote since then it has not said at a stop: after a power failure it may be lost.
  await leader.put('/more', 'x');
  await assertEqual(pair);
  await leader.powerCycle();
  await assertEqual(pair);
  assert.ok(bandOf(leader) > 0);
  const band = bandOf(leader);
  await follower.powerCycle();
  await assertEqual(pair);
  assert.ok(bandOf(leader) > band, 'nobody knows what the follower wrote alone');
});

test('a follower that may have lost what it wrote alone says so when it meets its leader, whatever happens until then', async ({
  pair,
}) => {
  const { leader, follower, link } = pair;
  await write(pair, '/before', 40);
  await assertEqual(pair);
  link.set(true);
  await follower.isAlone();
  await follower.powerCycle();
  follower.bootGraceIsOver = true;
  await follower.until(({ logVerified }) => logVerified);
  await follower.kill();
  await follower.until(({ logVerified }) => logVerified);
  await follower.restart();
  follower.bootGraceIsOver = false;
  link.set(false);
  await assertEqual(pair);
  assert.ok(bandOf(leader) > 0);
});

test('a follower that lost what it wrote alone, and is cut off while its mirror is copied anew, writes in a band above', async ({
  pair,
}) => {
  const { leader, follower, link, servers } = pair;
  await write(pair, '/before', 40);
  await assertEqual(pair);
  link.set(true);
  await follower.isAlone();
  await follower.put('/alone', 'lost');
  const manager = await streamManager(await servers.connect('node-b', 'services'));
  const { state } = await manager.streams.info('TWONODE_LOG_1');
  await follower.powerCycle();
  await removeOverlay(await servers.connect('node-b', 'services'));
  // What a mirror looks like that has lost its newest record.
  await manager.streams.deleteMessage('TWONODE_LOG_1', state.last_seq);
  await follower.kill();
  link.set(false);
  await until('the mirror is copied anew', () =>
    follower.node.facts().notices.some((notice) => notice.includes('copied anew')),
  );
  link.set(true);
  await follower.isAlone();
  follower.bootGraceIsOver = true;
  await follower.until(({ logVerified }) => logVerified);
  await follower.put('/again', 'x');
  assert.ok(bandOf(follower) > bandOf(leader));
});

test('an old copy of a disk does not pass for that of a node that was just stopped', async ({ pair }) => {
  const { leader, follower, link } = pair;
  await write(pair, '/before', 40);
  await assertEqual(pair);
  await pair.changeStore('node-b', backUp);
  await leader.put('/more', 'x');
  await assertEqual(pair);
  link.set(true);
  await follower.isAlone();
  await follower.put('/alone', 'x');
  await pair.changeStore('node-b', putBack);
  await follower.reboot();
  link.set(false);
  await assertEqual(pair);
  assert.ok(bandOf(leader) > 1, 'its clients saw what it wrote alone');
});

test('a leader that was stopped on purpose and came back with an old disk jumps', async ({ pair }) => {
  const { leader, link } = pair;
  await write(pair, '/before', 40);
  await assertEqual(pair);
  await pair.changeStore('node-a', backUp);
  await leader.put('/more', 'x');
  await assertEqual(pair);
  link.set(true);
  await pair.follower.isAlone();
  await pair.changeStore('node-a', (folders) => {
    putBack(folders);
    changeBoot(folders);
  });
  link.set(false);
  await assertEqual(pair);
  assert.is(leader.now().get('/more'), 'x');
  assert.ok(bandOf(leader) > 1);
});

test('a follower that was stopped on purpose and lost its store gets a full copy', async ({ pair }) => {
  await write(pair, '/before', 40);
  const before = await assertEqual(pair);
  await pair.changeStore('node-b', ({ store }) => rmSync(store, { recursive: true }));
  assert.equal(await assertEqual(pair), before);
});

test('a follower that lost its disk gets a full copy', async ({ pair }) => {
  await write(pair, '/before', 200);
  const before = await assertEqual(pair);
  await pair.changeStore('node-b', lose);
  assert.equal(await assertEqual(pair), before);
});

test.run();

const refusing = suite('contradictions');

refusing('a follower of another cluster is refused, with the same sentence on both nodes', async () => {
  const pair = await startNodePair({ followerConfig: { cluster: 'other' } });
  const text = 'node-a is configured for cluster "test", node-b for cluster "other"';
  await pair.follower.until(({ failure }) => failure === text);
  assert.ok(pair.leader.node.facts().notices.includes(text));
  await pair.leader.put('/a', 'x');
  assert.is(pair.follower.node.facts().neverJoined, true);
  await pair.stop();
});

refusing('two logs that began apart are not joined', async () => {
  const pair = await startNodePair();
  await pair.leader.put('/a', 'x');
  await assertEqual(pair);
  await pair.follower.close();
  await pair.changeStore('node-a', (folders) => {
    lose(folders);
    mkdirSync(folders.root);
    writeFileSync(join(folders.root, 'init'), '');
  });
  await pair.leader.put('/a', 'of a new cluster');
  await pair.follower.open();
  await pair.follower.until(({ failure }) => failure?.includes('began apart') ?? false);
  assert.is(pair.follower.now().get('/a'), 'x');
  await pair.stop();
});

refusing.run();
