import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { findStream } from '../../services/shim/log/stream.ts';
import { logStream } from '../../shared/nats-server/names.ts';
import { subjects } from '../../shared/subjects.ts';
import { eventually } from '../eventually.ts';
import type { NodePair } from './node-pair.ts';
import { type ServedPair, startServedPair } from './served-pair.ts';

/** What a follower does while all is well: whom it asks, what it answers by itself, and how soon its mirror goes on. */
const test = suite<ServedPair>('a healthy follower');

test.before(async (context) => {
  Object.assign(context, await startServedPair());
});
test.after(({ stop }) => stop());

/** Counts what the leader's shim is asked by this method. */
async function countAsked({ servers }: NodePair, method: string) {
  const tap = await servers.connect('node-a', 'services');
  let asked = 0;
  tap.subscribe(subjects.rpc('node-a', method), { callback: () => void asked++ });
  await tap.flush();
  return {
    stop: async () => {
      await tap.flush();
      await tap.close();
      return asked;
    },
  };
}

test('one question to the leader serves all who wait to read', async ({ pair }) => {
  const questions = await countAsked(pair, 'read-index');
  await pair.leader.put('/read-index', 'x');
  await Promise.all(Array.from({ length: 100 }, () => pair.follower.get('/read-index')));
  // Who comes while the first one is on its way needs a later answer.
  assert.is(await questions.stop(), 2);
});

test('a serializable read asks nobody, and is answered while the leader is away', async ({
  pair,
  follower,
}) => {
  await follower.put({ key: '/serializable', value: 'x' });
  pair.follower.suppose('Follower');
  pair.link.set(true);
  await pair.follower.isAlone();
  const { kvs } = await follower.range({ key: '/serializable', serializable: true });
  assert.is(kvs[0]?.value.toString(), 'x');
  pair.link.set(false);
  pair.follower.suppose(null);
  await pair.follower.follows();
});

test('forwarded writes are judged by etcd’s rules, and seen on the follower when they are answered', async ({
  follower,
}) => {
  const { header } = await follower.put({ key: '/forwarded', value: '1' });
  const revision = header?.revision ?? 0;
  assert.is((await follower.update('/forwarded', revision, '2')).succeeded, true);
  assert.is((await follower.update('/forwarded', revision, '3')).succeeded, false);
  assert.is(await follower.get('/forwarded'), '2');
  const refusal = await follower.call('KV/Put', Buffer.alloc(0)).then(
    () => 'done',
    (error: Error) => error.message,
  );
  assert.match(refusal, 'etcdserver: key is not provided');
});

for (const [here, there] of [
  ['leader', 'follower'],
  ['follower', 'leader'],
] as const) {
  test(`a lease granted through the ${here} is kept alive through the ${there}, and runs out on both`, async (context) => {
    const id = here === 'leader' ? 71n : 72n;
    const key = `/leased-${here}`;
    await context[here].leaseGrant(2, id);
    await context[there].put({ key, value: 'x', lease: id });
    for (let i = 0; i < 4; i++) {
      await new Promise((resolve) => setTimeout(resolve, 700));
      assert.is((await context[there].keepAliveOnce(id)).ttl, 2);
    }
    assert.is(await context[here].get(key), 'x');
    for (const client of [context.leader, context.follower]) {
      await eventually(
        () => client.get(key),
        (value) => value === undefined,
      );
    }
    assert.is((await context[there].keepAliveOnce(id)).ttl, 0);
  });
}

test('a watch on the follower sees what is written on either node, in order and once', async ({
  leader,
  follower,
}) => {
  const watch = follower.watch();
  watch.create({ key: '/watched/', rangeEnd: '/watched0' });
  await watch.next();
  const written: number[] = [];
  for (let i = 0; i < 40; i++) {
    const client = i % 2 === 0 ? leader : follower;
    const { header } = await client.put({ key: `/watched/${i % 3}`, value: `${i}` });
    written.push(header?.revision ?? 0);
  }
  const seen: number[] = [];
  while (seen.length < written.length) {
    const { events } = await watch.next();
    seen.push(...events.map(({ kv }) => kv?.modRevision ?? 0));
  }
  assert.equal(seen, written);
  watch.cancel();
});

const cuts = 5;
/** An ephemeral consumer, as NATS makes by itself, takes 15 s and more. */
const goesOnWithinMs = 5_000;

test('after a cut the mirror goes on, and does not wait as long as NATS by itself', async ({ pair }) => {
  const { leader, follower, link, servers } = pair;
  const connection = await servers.connect('node-b', 'services');
  const manager = await streamManager(connection);
  const times: number[] = [];
  for (let cut = 0; cut < cuts; cut++) {
    link.set(true);
    await follower.isAlone();
    await leader.put('/meanwhile', `${cut}`);
    const newest = leader.node.cluster.logSequence();
    const startMs = performance.now();
    link.set(false);
    while (((await findStream(manager, logStream(1)))?.state.last_seq ?? 0) < newest);
    times.push(performance.now() - startMs);
    await follower.follows();
  }
  await connection.close();
  console.log(`  it went on after ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  assert.ok(Math.max(...times) < goesOnWithinMs, `${times}`);
});

test.run();
