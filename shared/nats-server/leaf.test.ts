import { ErrorCode, type JetStreamManager, type NatsConnection, type StreamConfig, StringCodec } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { jetStreamApi, logStream, mirrorConsumer, mirrorDeliverSubject } from './names.ts';
import { type ServerPair, startServerPair } from './testing.ts';

interface Context {
  pair: ServerPair;
  a: NatsConnection;
  b: NatsConnection;
}
const test = suite<Context>('leaf link');
const text = StringCodec();
const stream = logStream(1);

test.before(async (context) => {
  context.pair = await startServerPair();
  context.a = await context.pair.connect('node-a', 'services');
  context.b = await context.pair.connect('node-b', 'services');
});
test.after((context) => context.pair.stop());

/** Resolves with the first message on `subject`. The subscription has reached the server when `ready` resolves. */
async function firstMessage(connection: NatsConnection, subject: string) {
  const subscription = connection.subscribe(subject, { max: 1 });
  await connection.flush();
  const message = (async () => {
    for await (const received of subscription) return text.decode(received.data);
    return undefined;
  })();
  return { message, unsubscribe: () => subscription.unsubscribe() };
}

/** Interest crosses the leaf asynchronously: the peer's answer to a request says that it has arrived. */
async function awaitInterest(from: NatsConnection, to: NatsConnection, name: string) {
  to.subscribe(`twonode.ready.${name}`, { max: 1, callback: (_error, message) => message.respond() });
  await to.flush();
  await requestUntilAnswered(from, `twonode.ready.${name}`);
}

/** Asks again while there is no responder yet, for at most 10 s. */
async function requestUntilAnswered(connection: NatsConnection, subject: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      await connection.request(subject, '', { timeout: 1_000 });
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

test('twonode.> crosses both ways', async ({ a, b }) => {
  const atB = await firstMessage(b, 'twonode.health.node-a.>');
  await awaitInterest(a, b, '1');
  a.publish('twonode.health.node-a.local.nic', 'from a');
  assert.is(await atB.message, 'from a');
  const atA = await firstMessage(a, 'twonode.state.node-b');
  await awaitInterest(b, a, '2');
  b.publish('twonode.state.node-b', 'from b');
  assert.is(await atA.message, 'from b');
});

for (const subject of ['log.records', 'overlay.records', 'kept.records']) {
  test(`${subject} crosses neither way`, async ({ a, b }) => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const crossed = await firstMessage(to, subject);
      const after = await firstMessage(to, 'twonode.test.after');
      await awaitInterest(from, to, subject);
      from.publish(subject, 'secret');
      from.publish('twonode.test.after', 'after');
      assert.is(await after.message, 'after');
      crossed.unsubscribe();
      assert.is(await crossed.message, undefined);
    }
  });
}

test('the JetStream API of the other node cannot be used', async ({ b }) => {
  const outcome = await b.request(`${jetStreamApi('node-a')}.INFO`, '', { timeout: 500 }).then(
    () => 'answered',
    (error: { code?: string }) => error.code,
  );
  assert.ok(outcome === ErrorCode.NoResponders || outcome === ErrorCode.Timeout, outcome);
});

test('the mirror follows the log through its pre-created consumer, also after a restart of either server', async (context) => {
  const { a, b, pair } = context;
  const leader = await a.jetstreamManager();
  const follower = await b.jetstreamManager();
  await leader.streams.add({ name: stream, subjects: ['log.records'] });
  await createMirror(a, follower);
  await publish(a, 100);
  await mirrored(follower, 100);

  const followerBack = reconnected(b);
  await pair.follower.restart();
  await followerBack;
  await publish(a, 100);
  await mirrored(follower, 200);

  const leaderBack = reconnected(a);
  await pair.leader.restart();
  await leaderBack;
  await publish(a, 100);
  await mirrored(follower, 300);
});

test('the mirror resumes after kill -9 of the leader', async ({ a, b, pair }) => {
  const { pid } = pair.leader;
  assert.ok(pid);
  const back = reconnected(a);
  process.kill(pid, 'SIGKILL');
  await back;
  await publish(a, 50);
  await mirrored(await b.jetstreamManager(), 350);
});

async function reconnected(connection: NatsConnection): Promise<void> {
  for await (const status of connection.status()) if (status.type === 'reconnect') return;
}

async function createMirror(a: NatsConnection, follower: JetStreamManager) {
  const durable = mirrorConsumer('node-b');
  const deliver = mirrorDeliverSubject('node-b');
  const answer = await a.request(
    `$JS.API.CONSUMER.CREATE.${stream}.${durable}`,
    JSON.stringify({
      stream_name: stream,
      action: 'create',
      config: {
        durable_name: durable,
        name: durable,
        deliver_subject: deliver,
        deliver_policy: 'all',
        ack_policy: 'flow_control',
        max_deliver: -1,
        flow_control: true,
        idle_heartbeat: 1e9,
        replay_policy: 'instant',
      },
    }),
  );
  assert.not.match(text.decode(answer.data), '"error"');
  const mirror = {
    name: stream,
    external: { api: jetStreamApi('node-a'), deliver: '' },
    consumer: { name: durable, deliver_subject: deliver },
  };
  await follower.streams.add({ name: stream, mirror, mirror_direct: false } as Partial<StreamConfig>);
}

async function publish(connection: NatsConnection, count: number): Promise<void> {
  const stored = Array.from({ length: count }, () =>
    connection.request('log.records', 'record', { timeout: 5_000 }),
  );
  for (const answer of await Promise.all(stored)) assert.not.match(text.decode(answer.data), '"error"');
}

/** Waits for at most 10 s until the mirror holds exactly `count` messages. */
async function mirrored(manager: JetStreamManager, count: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  let messages = -1;
  while (messages !== count && Date.now() < deadline) {
    messages = await manager.streams.info(stream).then(
      (info) => info.state.messages,
      () => -1,
    );
  }
  assert.is(messages, count);
}

test.run();
