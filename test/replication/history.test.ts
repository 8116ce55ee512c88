import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkHistory } from '../history/check.ts';
import type { History } from '../history/history.ts';
import { Load } from '../history/load.ts';
import { seededRandom } from '../history/random.ts';
import { RecordingClient } from '../history/recording-client.ts';
import { RecordingWatch } from '../history/recording-watch.ts';
import { startNodePair } from './node-pair.ts';
import { serveEtcd } from './serve-etcd.ts';

/** Clients on both nodes while the link is cut and heals: what they are told is one history. */
const test = suite('histories of two nodes');
const cuts = 3;
const phaseMs = 1_200;
const clients = 4;
const watchLimitMs = 20_000;

test('clients on both sides of a link that is cut and heals', async () => {
  const pair = await startNodePair();
  const { leader, follower, link } = pair;
  await follower.follows();
  const servers = { 'node-a': await serveEtcd(leader.node), 'node-b': await serveEtcd(follower.node) };
  const history: History = { prefix: '/load/', operations: [], watches: [], leases: [] };
  const seed = Date.now() % 2 ** 31;
  const random = seededRandom(seed);
  const ends = Object.entries(servers).map(([endpoint, { address }]) => ({ endpoint, address }));
  const watches = ends.map(({ endpoint, address }) => new RecordingWatch(address, endpoint, history, 0));
  const loads = ends.map((end) => new Load({ ...end, history, clients, random }));
  for (let cut = 0; cut < cuts; cut++) {
    await delay(phaseMs);
    link.set(true);
    await follower.isAlone();
    await delay(phaseMs);
    link.set(false);
    await follower.follows();
  }
  await delay(phaseMs);
  await Promise.all(loads.map((load) => load.stop()));
  for (const [i, { endpoint, address }] of ends.entries()) {
    const client = new RecordingClient(address, endpoint, history);
    await watches[i]?.until((await client.list())?.revision ?? 0, watchLimitMs);
    await watches[i]?.stop();
    client.close();
  }
  for (const server of Object.values(servers)) await server.stop();
  await pair.stop();

  const { problems, counts } = checkHistory(history);
  assert.equal(problems, [], `--seed ${seed}`);
  const acknowledgedAt = (band: number) =>
    history.operations.filter(
      ({ outcome }) => typeof outcome !== 'string' && Math.floor(outcome.revision / 2 ** 32) === band,
    ).length;
  for (let band = 0; band <= 2 * cuts; band++) assert.ok(acknowledgedAt(band) > 20, `band ${band}`);
  // Only what happened between a jump and the listing of who watches is not watched.
  assert.ok(counts.unwatched < counts.acknowledged / 5, JSON.stringify(counts));
});

test.run();
