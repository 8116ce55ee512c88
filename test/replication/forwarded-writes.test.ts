import { createInbox, type Msg, type NatsConnection } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { putRequest } from '../../services/shim/etcd/messages.ts';
import { findOverlay } from '../../services/shim/replication/overlay.ts';
import {
  type ForwardedWrite,
  forwardedWriteHeaders,
  pingAnswerSchema,
  readWriteOutcome,
} from '../../services/shim/replication/protocol.ts';
import { inOddBand } from '../../services/shim/store/revision-band.ts';
import { datastoreGroup } from '../../shared/mutation/registry-key.ts';
import { subjects } from '../../shared/subjects.ts';
import { type NodePair, startNodePair } from './node-pair.ts';

/** What a leader takes from its follower: by whose list it judges, and what it drops. */
interface Context {
  pair: NodePair;
  connection: NatsConnection;
}
const test = suite<Context>('forwarded writes');

test.before(async (context) => {
  context.pair = await startNodePair({
    approvedMutationList: [{ apiGroups: [datastoreGroup], resources: ['keys'], names: ['/listed', '/more'] }],
  });
  await context.pair.follower.follows();
  context.connection = await context.pair.servers.connect('node-b', 'services');
});
test.after(async ({ pair, connection }) => {
  await connection.close();
  await pair.stop();
});

const refusal = (write: Promise<unknown>) =>
  write.then(
    () => 'done',
    (error: Error) => error.message,
  );
const put = (key: string) => Buffer.from(putRequest.encode({ key, value: Buffer.from('x') }));

/** The session that the leader is in, and its clock. */
async function askLeader(connection: NatsConnection) {
  const answer = await connection.request(subjects.rpc('node-a', 'ping'), '{}');
  const { session, clock_ms } = pingAnswerSchema.parse(answer.json());
  assert.ok(session);
  return { session, clockMs: clock_ms };
}

/** Sends a Put as a follower's shim does. */
async function forward(
  { connection }: Context,
  key: string,
  change: Partial<ForwardedWrite>,
  reply: string,
): Promise<void> {
  const { session, clockMs } = await askLeader(connection);
  const deadline = clockMs + 5_000;
  const headers = forwardedWriteHeaders({
    session,
    method: 'Put',
    deadline,
    senderState: 'Follower',
    ...change,
  });
  connection.publish(subjects.rpc('node-a', 'write'), put(key), { headers, reply });
}

/** Sends one and returns what the leader says: the text of its refusal, or nothing. */
async function outcomeOf(context: Context, key: string, change: Partial<ForwardedWrite>): Promise<string> {
  const reply = createInbox('twonode.inbox');
  const answers = context.connection.subscribe(reply, { max: 1, timeout: 5_000 });
  await forward(context, key, change, reply);
  for await (const answer of answers) return readWriteOutcome(answer.headers).text;
  return 'no answer';
}

test('a LeaderRX beside an Impaired leader writes into the log, by the approved list', async ({ pair }) => {
  const { leader, follower } = pair;
  leader.suppose('Impaired');
  follower.suppose('LeaderRX');
  await follower.put('/listed', 'by the follower');
  assert.is(leader.now().get('/listed'), 'by the follower');
  assert.is(await follower.get('/listed'), 'by the follower');
  const { store } = follower.node.database;
  assert.not(inOddBand(store.visible));
  assert.is(store.visible, leader.node.database.store.visible);
  assert.is(follower.node.facts().reconverged, true);
  const connection = await pair.servers.connect('node-b', 'services');
  assert.is(await findOverlay(connection), null);
  await connection.close();
  assert.match(
    await refusal(follower.put('/unlisted', 'x')),
    /^twonode: LeaderRX: write to \/unlisted refused: not on the approvedMutationList; /,
  );
  // Its own list is the other one.
  assert.match(
    await refusal(leader.put('/listed', 'by the leader')),
    /^twonode: Impaired: write to \/listed refused: not on the impairedMutationList; /,
  );
});

test('an Impaired leader judges by itself what its peer passes on', async (context) => {
  const { leader } = context.pair;
  leader.suppose('Impaired');
  assert.match(
    await outcomeOf(context, '/unlisted', { senderState: 'LeaderRX' }),
    'write to /unlisted refused: not on the approvedMutationList',
  );
  assert.match(
    await outcomeOf(context, '/listed', { senderState: 'Follower' }),
    'write to /listed refused: not on the impairedMutationList',
  );
  assert.is(await outcomeOf(context, '/listed', { senderState: 'LeaderRX' }), '');
});

test('what is expired, or of another life of the leader, is dropped without an answer', async (context) => {
  const { leader, follower } = context.pair;
  leader.suppose(null);
  follower.suppose(null);
  const answers: Msg[] = [];
  const reply = createInbox('twonode.inbox');
  context.connection.subscribe(reply, {
    callback: (_error, answer) => {
      answers.push(answer);
    },
  });
  const { session, clockMs } = await askLeader(context.connection);
  await forward(context, '/expired', { deadline: clockMs }, reply);
  await forward(context, '/foreign', { session: `${session}0` }, reply);
  // One connection keeps the order: when this one is answered, the others were looked at.
  assert.is(await outcomeOf(context, '/good', {}), '');
  await follower.put('/later', 'x');
  const written = leader.now();
  assert.equal(
    ['/expired', '/foreign', '/good', '/later'].filter((key) => written.has(key)),
    ['/good', '/later'],
  );
  assert.equal(answers, []);
});

test.run();
