import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compactionRequest } from '../../services/shim/etcd/messages.ts';
import { streamManager } from '../../services/shim/log/owned-log.ts';
import { findStream } from '../../services/shim/log/stream.ts';
import { logStream, mirrorConsumer } from '../../shared/nats-server/names.ts';
import { subjects } from '../../shared/subjects.ts';
import { eventually } from '../eventually.ts';
import { type NodePair, startNodePair } from './node-pair.ts';

/** A follower that comes back behind what its leader has cleaned away. */
const test = suite<{ pair: NodePair }>('a gap');
const value = 'x'.repeat(500_000);
const liveKeys = 24;
/** Of the mirror's consumer, behind the first 8 MiB: so slow that the gap stays open for seconds. */
const bitsPerSecond = 8_000_000;

test.before(async (context) => {
  context.pair = await startNodePair({ quotaBytes: 16 * 1024 * 1024 });
  await context.pair.follower.follows();
});
test.after(({ pair }) => pair.stop());

/** Resolves when the leader was asked this many times more whether it is there. */
async function pings({ servers }: NodePair, count: number): Promise<void> {
  const tap = await servers.connect('node-a', 'services');
  let seen = 0;
  for await (const _ of tap.subscribe(subjects.rpc('node-a', 'ping'))) if (++seen === count) break;
  await tap.close();
}

async function slowDown({ servers }: NodePair): Promise<void> {
  const connection = await servers.connect('node-a', 'services');
  const manager = await streamManager(connection);
  const name = mirrorConsumer('node-b');
  const { config } = await manager.consumers.info(logStream(1), name);
  const message = { stream_name: logStream(1), config: { ...config, rate_limit_bps: bitsPerSecond } };
  const subject = `$JS.API.CONSUMER.CREATE.${logStream(1)}.${name}`;
  const answer = (await connection.request(subject, JSON.stringify(message))).json<{ error?: unknown }>();
  assert.is(answer.error, undefined);
  await connection.close();
}

/** Writes until the log no longer holds what comes next in a mirror that ends at this record. */
async function cleanBeyond({ leader, servers }: NodePair, sequence: number): Promise<void> {
  const connection = await servers.connect('node-a', 'services');
  const manager = await streamManager(connection);
  for (let i = 0; i < liveKeys; i++) await leader.put(`/live/${i}`, value);
  await eventually(
    async () => {
      await leader.put('/live/0', value);
      const revision = leader.node.database.store.visible;
      await leader.node.write('Compact', Buffer.from(compactionRequest.encode({ revision })));
      return (await findStream(manager, logStream(1)))?.state.first_seq ?? 0;
    },
    (first) => first > sequence + 1,
  );
  await connection.close();
}

test('with an open gap a follower is no second copy, and the leader says so', async ({ pair }) => {
  const { leader, follower, link } = pair;
  const stands = () => ({
    following: leader.node.replication().following,
    notices: leader.node.facts().notices,
  });
  const alone = {
    following: false,
    notices: ["writes are on this node's disk alone: node-b does not follow"],
  };
  const endedAt = follower.node.cluster.logSequence();
  link.set(true);
  await follower.isAlone();
  await cleanBeyond(pair, endedAt);
  await slowDown(pair);
  link.set(false);
  await follower.until(({ logLink }) => logLink === 'works');
  // What it told after the first is here before the second.
  await pings(pair, 2);
  assert.is(follower.node.cluster.logSequence(), endedAt, 'the gap is open');
  assert.equal(stands(), alone);
  await leader.put('/meanwhile', 'x');
  assert.equal(stands(), alone);
  await eventually(
    async () => stands(),
    ({ following, notices }) => following === true && notices.length === 0,
  );
  assert.ok(follower.node.cluster.logSequence() > endedAt);
  assert.equal(await follower.contents(), await leader.contents());
});

test.run();
