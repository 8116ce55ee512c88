import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CallOptions,
  Client,
  type ClientDuplexStream,
  type ClientOptions,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TestAuthority } from '../../../../test/certificates.ts';
import { type EchoServer, echoBytesMax, echoPieceBytes, startEchoServer } from './echo-service.ts';
import { status } from './status.ts';

/** The gRPC server with the client of grpc-js. Go's client is etcdctl's and kube-apiserver's, in test/e2e. */

interface Context extends EchoServer {
  client: Client;
}
const test = suite<Context>('gRPC server');
const bytes = (input: Buffer) => input;
const unlimited: ClientOptions = { 'grpc.max_receive_message_length': -1 };

test.before.each(async (context) => {
  Object.assign(context, await startEchoServer());
  context.client = new Client(`127.0.0.1:${context.port}`, credentials.createInsecure(), unlimited);
});
test.after.each(async ({ client, server }) => {
  client.close();
  await server.stop(1_000);
});

function call(
  client: Client,
  path: string,
  request: Buffer,
  options: CallOptions = {},
  metadata = new Metadata(),
) {
  return new Promise<Buffer>((resolve, reject) => {
    client.makeUnaryRequest(path, bytes, bytes, request, metadata, options, (error, response) =>
      error ? reject(error) : resolve(response ?? Buffer.alloc(0)),
    );
  });
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    ({ code, details }: ServiceError) => ({ code, details }),
  );

const outcomeOf = (stream: ClientDuplexStream<Buffer, Buffer>) =>
  new Promise<StatusObject>((resolve) => stream.on('status', resolve));

const open = (client: Client, method: string) => {
  const stream = client.makeBidiStreamRequest<Buffer, Buffer>(`/test.Echo/${method}`, bytes, bytes);
  stream.on('error', () => undefined);
  return stream;
};

test('messages of any size go both ways', async ({ client }) => {
  for (const size of [0, 1, 16 * 1024 - 5, 16 * 1024 + 1, 100_000, echoBytesMax]) {
    const request = Buffer.alloc(size, 'x');
    assert.ok((await call(client, '/test.Echo/Same', request)).equals(request), `${size} bytes`);
  }
});

test('an answer in pieces arrives as one message, each time', async ({ client }) => {
  for (const count of [1, 3, 50]) {
    const answer = await call(client, '/test.Echo/Pieces', Buffer.from(`${count}`));
    assert.is(answer.length, count * echoPieceBytes);
    for (let i = 0; i < count; i++) {
      const letters = answer.subarray(i * echoPieceBytes, (i + 1) * echoPieceBytes);
      assert.ok(
        letters.equals(Buffer.alloc(echoPieceBytes, String.fromCharCode(97 + (i % 26)))),
        `piece ${i}`,
      );
    }
  }
});

test('many calls at a time', async ({ client, seen }) => {
  const texts = Array.from({ length: 500 }, (_, i) => `request ${i}`);
  const answers = await Promise.all(texts.map((text) => call(client, '/test.Echo/Same', Buffer.from(text))));
  assert.equal(answers.map(String), texts);
  assert.equal(seen.handled, Array(500).fill('Same 0'));
});

test('what a client sends beside its message is found', async ({ client }) => {
  const metadata = new Metadata();
  metadata.set('x-name', 'Ada');
  assert.is(String(await call(client, '/test.Echo/Name', Buffer.alloc(0), {}, metadata)), 'Ada');
});

test('an error has its code and text', async ({ client, seen }) => {
  assert.equal(await failure(call(client, '/test.Echo/Refuse', Buffer.alloc(0))), {
    code: status.OUT_OF_RANGE,
    details: 'etcdserver: mvcc: required revision has been compacted',
  });
  assert.equal(seen.handled, [`Refuse ${status.OUT_OF_RANGE}`]);
});

test('a fault of ours is not told, but reported', async ({ client, seen }) => {
  assert.equal(await failure(call(client, '/test.Echo/Throw', Buffer.alloc(0))), {
    code: status.INTERNAL,
    details: 'twonode: Throw: internal error',
  });
  assert.equal(seen.faults, ['Throw: a secret of ours']);
});

test('what is not there is unimplemented', async ({ client }) => {
  assert.equal(await failure(call(client, '/test.Echo/Nothing', Buffer.alloc(0))), {
    code: status.UNIMPLEMENTED,
    details: 'unknown method Nothing for service test.Echo',
  });
});

test('a message above the limit is refused', async ({ client }) => {
  assert.equal(await failure(call(client, '/test.Echo/Same', Buffer.alloc(echoBytesMax + 1))), {
    code: status.RESOURCE_EXHAUSTED,
    details: `grpc: received message larger than max (${echoBytesMax + 1} vs. ${echoBytesMax})`,
  });
  assert.is(String(await call(client, '/test.Echo/Same', Buffer.from('next'))), 'next');
});

test('a call ends at its deadline', async ({ client, seen }) => {
  const late = await failure(
    call(client, '/test.Echo/Hang', Buffer.alloc(0), { deadline: Date.now() + 100 }),
  );
  assert.is(late?.code, status.DEADLINE_EXCEEDED);
  // The client may see to that itself and reset the call.
  const [ended] = await until(() => seen.handled.length > 0, seen.handled);
  assert.ok(ended === `Hang ${status.DEADLINE_EXCEEDED}` || ended === `Hang ${status.CANCELLED}`, ended);
});

test('a stream answers in order and ends well', async ({ client, seen }) => {
  const stream = open(client, 'Each');
  const received: string[] = [];
  stream.on('data', (message: Buffer) => received.push(message.toString()));
  for (let i = 0; i < 100; i++) stream.write(Buffer.from(`${i}`));
  stream.end();
  const ended = await outcomeOf(stream);
  assert.is(ended.code, status.OK);
  assert.equal(
    received,
    Array.from({ length: 100 }, (_, i) => `${i}`),
  );
  await until(() => seen.handled.length > 0);
  assert.equal(seen.handled, ['Each 0']);
});

test('a stream may fail behind its answers', async ({ client }) => {
  const stream = open(client, 'AnswerThenFail');
  const received: string[] = [];
  stream.on('data', (message: Buffer) => received.push(message.toString()));
  const ended = await outcomeOf(stream);
  assert.is(ended.code, status.UNAVAILABLE);
  assert.is(ended.details, 'etcdserver: no leader');
  assert.equal(received, ['one']);
});

test('a stream whose handler throws is a fault of ours', async ({ client, seen }) => {
  const ended = await outcomeOf(open(client, 'Throw').resume());
  assert.is(ended.code, status.INTERNAL);
  assert.equal(seen.faults, ['Throw: a secret of ours']);
});

test('a stream that the client cancels is over', async ({ client, seen }) => {
  const stream = open(client, 'Collect');
  stream.write(Buffer.from('hello'));
  const [served] = await until(() => seen.streams.length > 0, seen.streams);
  const closed = new Promise<void>((resolve) => served?.onClose(resolve));
  stream.cancel();
  await closed;
  assert.equal(seen.handled, [`Collect ${status.CANCELLED}`]);
  served?.write(Buffer.from('into the void'));
  served?.end();
  assert.is(served?.unsentBytes, 0);
});

test('a server that stops ends streams, lets calls finish and takes no more', async ({
  client,
  server,
  seen,
  port,
}) => {
  const stream = open(client, 'Collect').resume();
  await until(() => seen.streams.length > 0);
  const hanging = failure(call(client, '/test.Echo/Hang', Buffer.alloc(0)));
  await call(client, '/test.Echo/Same', Buffer.alloc(0));
  const stopped = server.stop(200);
  const ended = await outcomeOf(stream);
  assert.is(ended.details, 'etcdserver: server stopped');
  assert.is((await hanging)?.code, status.UNAVAILABLE);
  await stopped;
  const other = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  assert.is((await failure(call(other, '/test.Echo/Same', Buffer.alloc(0))))?.code, status.UNAVAILABLE);
  other.close();
});

test('a unix socket', async ({ server }) => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-grpc-'));
  const path = join(folder, 'grpc.sock');
  await server.listen({ path });
  const client = new Client(`unix:${path}`, credentials.createInsecure());
  assert.is(String(await call(client, '/test.Echo/Same', Buffer.from('hello'))), 'hello');
  client.close();
  rmSync(folder, { recursive: true });
});

test('TLS with client certificates', async ({ server, port }) => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-grpc-'));
  const authority = new TestAuthority(folder, 'ca');
  const ca = readFileSync(authority.file);
  const pem = (name: string) => {
    const files = authority.issue(name);
    return { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  };
  const securePort = port + 1;
  await server.listen({ host: '127.0.0.1', port: securePort }, { ...pem('server'), ca, requestCert: true });
  const as = (own: { cert: Buffer; key: Buffer } | null) =>
    new Client(`127.0.0.1:${securePort}`, credentials.createSsl(ca, own?.key ?? null, own?.cert ?? null));
  const known = as(pem('client'));
  assert.is(String(await call(known, '/test.Echo/Same', Buffer.from('hello'))), 'hello');
  const unknown = as(null);
  const refused = await failure(
    call(unknown, '/test.Echo/Same', Buffer.alloc(0), { deadline: Date.now() + 1_000 }),
  );
  assert.ok(refused?.code === status.UNAVAILABLE || refused?.code === status.DEADLINE_EXCEEDED);
  known.close();
  unknown.close();
  // One that never begins its handshake does not hold up a stop.
  const silent = connect(securePort, '127.0.0.1');
  silent.on('error', () => undefined);
  await once(silent, 'connect');
  await server.stop(100);
  rmSync(folder, { recursive: true });
});

/** Looks each turn of the event loop, at most for a few seconds. */
async function until<T>(holds: () => boolean, value?: T): Promise<T> {
  const limitMs = performance.now() + 5_000;
  while (!holds()) {
    if (performance.now() > limitMs) throw new Error('it did not come to pass in time');
    await new Promise((resolve) => setImmediate(resolve));
  }
  return value as T;
}

test.run();
