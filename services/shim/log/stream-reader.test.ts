import { EventEmitter, once } from 'node:events';
import { StorageType } from 'nats';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type ServerPair, startServerPair } from '../../../shared/nats-server/testing.ts';
import { readStream, StreamReader } from './stream-reader.ts';

const test = suite<{ pair: ServerPair }>('the reader of a stream');
const stream = 'READ';
const limitMs = 15_000;
const hourMs = 3_600_000;

test.before(async (context) => {
  context.pair = await startServerPair();
});
test.after(({ pair }) => pair.stop());

test('a consumer that is gone is made anew, also when the clock was set back by hours', async ({ pair }) => {
  const connection = await pair.connect('node-a', 'services');
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: stream, subjects: ['read.it'] });
  const events = new EventEmitter();
  const reader = new StreamReader({
    connection,
    manager,
    stream,
    from: 1,
    logger: pino({ level: 'silent' }),
    onMessage: (sequence) => events.emit('message', sequence),
    onError: (error) => events.emit('error', error),
  });
  const message = () => once(events, 'message', { signal: AbortSignal.timeout(limitMs) });
  const realNow = Date.now;
  try {
    const first = message();
    await connection.request('read.it', 'a');
    assert.equal(await first, [1]);
    Date.now = () => realNow() - 5 * hourMs;
    for await (const { name } of manager.consumers.list(stream)) await manager.consumers.delete(stream, name);
    const second = message();
    await connection.request('read.it', 'b');
    assert.equal(await second, [2]);
  } finally {
    Date.now = realNow;
    reader.stop();
  }
});

test('a long stream that takes seconds to fold does not cost the connection', async ({ pair }) => {
  const connection = await pair.connect('node-a', 'services');
  const manager = await connection.jetstreamManager();
  await manager.streams.add({ name: 'LONG', subjects: ['long.it'], storage: StorageType.Memory });
  const count = 1_000;
  for (let i = 1; i < count; i++) connection.publish('long.it', Buffer.alloc(2_048));
  await connection.request('long.it', 'the last', { timeout: limitMs });
  const gone: string[] = [];
  void (async () => {
    for await (const { type } of connection.status()) gone.push(type);
  })();
  const read: number[] = [];
  await readStream({
    connection,
    manager,
    stream: 'LONG',
    from: 1,
    last: count,
    limitMs,
    logger: pino({ level: 'silent' }),
    onMessage: (sequence) => {
      read.push(sequence);
      const endMs = performance.now() + 2;
      while (performance.now() < endMs);
    },
  });
  assert.equal(
    read,
    Array.from({ length: count }, (_, index) => index + 1),
  );
  // A cut would be told by now, or with the next answer.
  await connection.flush();
  assert.equal(
    gone.filter((type) => type === 'disconnect'),
    [],
  );
});

test.run();
