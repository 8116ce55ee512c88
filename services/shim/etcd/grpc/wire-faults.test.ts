import { once } from 'node:events';
import { constants } from 'node:http2';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  answerOf,
  BareClient,
  type EchoServer,
  echoBytesMax,
  framed,
  startEchoServer,
} from './echo-service.ts';
import { frame, framePrefix } from './framing.ts';
import { status } from './status.ts';
import { unsentBytesMax } from './stream-call.ts';

/** The gRPC server with clients that send what no gRPC library does, or read slowly. */

interface Context extends EchoServer {
  client: BareClient;
}
const test = suite<Context>('gRPC server with faults on the wire');

test.before.each(async (context) => {
  Object.assign(context, await startEchoServer());
  context.client = new BareClient(context.port);
});
test.after.each(async ({ client, server, seen }) => {
  client.close();
  await server.stop(1_000);
  assert.equal(seen.faults, []);
});

/** After whatever was sent, the connection must serve as before. */
async function serves(client: BareClient): Promise<void> {
  const { messages, code } = await client.send('Same', framed('still here'));
  assert.equal({ messages, code }, { messages: ['still here'], code: '0' });
}

test('headers and trailers are those of gRPC', async ({ client }) => {
  const { httpStatus, headers, code, text } = await client.send('Same', framed('x'));
  assert.is(httpStatus, 200);
  assert.is(headers['content-type'], 'application/grpc');
  assert.is(headers['grpc-status'], undefined);
  assert.equal([code, text], ['0', undefined]);
});

test('an error alone is one block of headers', async ({ client }) => {
  const { httpStatus, headers } = await client.send('Refuse', framed('x'));
  assert.is(httpStatus, 200);
  assert.is(headers['content-type'], 'application/grpc');
  assert.is(headers['grpc-status'], String(status.OUT_OF_RANGE));
});

test('what is no gRPC gets an HTTP status', async ({ client }) => {
  const wrongType = await client.send('Same', framed('x'), { 'content-type': 'application/json' });
  assert.equal([wrongType.httpStatus, wrongType.code], [415, undefined]);
  const get = client.session.request({ ':method': 'GET', ':path': '/' });
  assert.is((await answerOf(get)).httpStatus, 405);
  await serves(client);
});

test('compression is refused, and the client is told what is taken', async ({ client }) => {
  const answer = await client.send('Same', Buffer.of(1, 0, 0, 0, 1, 0), { 'grpc-encoding': 'gzip' });
  assert.is(answer.code, String(status.UNIMPLEMENTED));
  assert.is(answer.headers['grpc-accept-encoding'], 'identity');
  assert.is((await client.send('Same', Buffer.of(1, 0, 0, 0, 1, 0))).code, String(status.INTERNAL));
  await serves(client);
});

test('a message byte by byte', async ({ client }) => {
  const stream = client.open('Same');
  const answer = answerOf(stream);
  for (const byte of framed('slowly')) {
    stream.write(Buffer.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  assert.equal((await answer).messages, ['slowly']);
});

for (const method of ['Same', 'Each']) {
  test(`${method}: a message that is cut off`, async ({ client }) => {
    const { code, text } = await client.send(method, framed('cut off').subarray(0, -1));
    assert.equal([code, text], [String(status.INTERNAL), 'unexpected EOF']);
    await serves(client);
  });

  test(`${method}: garbage`, async ({ client }) => {
    assert.is((await client.send(method, Buffer.alloc(100, 0xff))).code, String(status.INTERNAL));
    await serves(client);
  });

  test(`${method}: a length beyond the limit ends the call before the message comes`, async ({ client }) => {
    const stream = client.open(method);
    const answer = answerOf(stream);
    stream.write(framePrefix(echoBytesMax + 1));
    assert.is((await answer).code, String(status.RESOURCE_EXHAUSTED));
    await serves(client);
  });

  test(`${method}: a timeout that is none`, async ({ client }) => {
    const { code } = await client.send(method, framed('x'), { 'grpc-timeout': 'soon' });
    assert.is(code, String(status.INTERNAL));
  });

  test(`${method}: a call that is reset within a message`, async ({ client, seen }) => {
    const stream = client.open(method);
    stream.write(framed('reset').subarray(0, -1));
    await client.arrived();
    stream.close(constants.NGHTTP2_CANCEL);
    await once(stream, 'close');
    await serves(client);
    // Node's client may end the call before it resets it: then it is a message that is cut off.
    const outcomes = [status.CANCELLED, status.INTERNAL].map((code) => `${method} ${code}`);
    assert.ok(outcomes.includes(seen.handled[0] ?? ''), seen.handled[0]);
  });
}

test('a client that does not end its call is let go when it is answered', async ({ client }) => {
  const stream = client.open('Same');
  const answer = answerOf(stream);
  stream.write(framed('x'));
  const { messages, code } = await answer;
  assert.equal([messages, code], [['x'], '0']);
});

test('a call without its request, and one with two', async ({ client }) => {
  assert.is((await client.send('Same', Buffer.alloc(0))).code, String(status.INTERNAL));
  const two = await client.send('Hang', Buffer.concat([framed('one'), framed('two')]));
  assert.is(two.code, String(status.INTERNAL));
  await serves(client);
});

test('the deadline of a client that does not keep it itself', async ({ client, seen }) => {
  for (const method of ['Hang', 'Collect']) {
    const stream = client.open(method, { 'grpc-timeout': '50m' });
    const answer = answerOf(stream);
    stream.write(framed('x'));
    const { code, text } = await answer;
    assert.equal([code, text], [String(status.DEADLINE_EXCEEDED), 'context deadline exceeded']);
  }
  assert.equal(seen.handled, [`Hang ${status.DEADLINE_EXCEEDED}`, `Collect ${status.DEADLINE_EXCEEDED}`]);
});

test('what a slow reader has not taken is known, and that it has', async ({ port, seen }) => {
  const windowBytes = 64 * 1024 - 1;
  const client = new BareClient(port, { initialWindowSize: windowBytes });
  const stream = client.open('Collect');
  stream.pause();
  await once(client.session, 'remoteSettings');
  await client.arrived();
  const [call] = seen.streams;
  assert.ok(call);
  let drained = 0;
  const drain = new Promise<void>((resolve) =>
    call.onDrain(() => {
      drained++;
      resolve();
    }),
  );
  const message = Buffer.alloc(100_000, 'x');
  for (let i = 0; i < 10; i++) call.write(message);
  assert.is(call.unsentBytes, 10 * message.length);
  await client.arrived();
  assert.ok(call.unsentBytes >= 9 * message.length, `${call.unsentBytes} bytes wait`);
  assert.is(drained, 0);
  const answer = answerOf(stream);
  stream.resume();
  await drain;
  assert.is(call.unsentBytes, 0);
  call.end();
  const { messages, code } = await answer;
  assert.equal([messages.length, code], [10, '0']);
  client.close();
});

test('a client that has gone has not read what waited for it', async ({ port, seen }) => {
  const client = new BareClient(port, { initialWindowSize: 64 * 1024 - 1 });
  const stream = client.open('Collect');
  stream.pause();
  await once(client.session, 'remoteSettings');
  await client.arrived();
  const [call] = seen.streams;
  let drained = 0;
  call?.onDrain(() => drained++);
  for (let i = 0; i < 10; i++) call?.write(Buffer.alloc(100_000, 'x'));
  await client.arrived();
  const closed = new Promise<void>((resolve) => call?.onClose(resolve));
  stream.close(constants.NGHTTP2_CANCEL);
  await closed;
  await client.arrived();
  assert.equal([call?.unsentBytes, drained], [0, 0]);
  client.close();
});

test('of a client that sends and never reads no more is taken than may wait', async ({
  client,
  port,
  seen,
}) => {
  const deaf = new BareClient(port, { initialWindowSize: 64 * 1024 - 1 });
  const stream = deaf.open('Each');
  stream.pause();
  await once(deaf.session, 'remoteSettings');
  const message = Buffer.alloc(50_000, 'x');
  const count = 160;
  for (let i = 0; i < count; i++) stream.write(frame(message));
  stream.end();
  // As many turns as all of it would need.
  for (let i = 0; i < count; i++) await deaf.arrived();
  const limit = unsentBytesMax + 64 * 1024 + 2 * message.length;
  assert.ok(seen.receivedBytes > unsentBytesMax, `${seen.receivedBytes} bytes are taken`);
  assert.ok(seen.receivedBytes <= limit, `${seen.receivedBytes} bytes are taken`);
  await serves(client);
  const answer = answerOf(stream);
  stream.resume();
  const { messages, code } = await answer;
  assert.equal([messages.length, code], [count, '0']);
  deaf.close();
});

test('a client that never reads may cancel its call', async ({ port, seen }) => {
  const deaf = new BareClient(port, { initialWindowSize: 64 * 1024 - 1 });
  const stream = deaf.open('Each');
  stream.pause();
  for (let i = 0; i < 100; i++) stream.write(framed('x'.repeat(50_000)));
  await deaf.arrived();
  await deaf.arrived();
  stream.close(constants.NGHTTP2_CANCEL);
  await once(stream, 'close');
  await deaf.arrived();
  assert.equal(seen.handled, [`Each ${status.CANCELLED}`]);
  deaf.close();
});

test('pieces of an answer are taken as the client reads, and no more when it has gone', async ({
  client,
  port,
  seen,
}) => {
  const slow = new BareClient(port, { initialWindowSize: 64 * 1024 - 1 });
  const count = 20;
  const stream = slow.open('Pieces');
  stream.pause();
  stream.end(framed(`${count}`));
  await slow.arrived();
  await slow.arrived();
  assert.ok(seen.pieces >= 1 && seen.pieces <= 2, `${seen.pieces} pieces are taken`);
  const answer = answerOf(stream);
  stream.resume();
  const { messages, code } = await answer;
  assert.equal([messages.length, code, seen.pieces], [1, '0', count]);

  const gone = slow.open('Pieces');
  gone.pause();
  gone.end(framed(`${count}`));
  await slow.arrived();
  gone.close(constants.NGHTTP2_CANCEL);
  await slow.arrived();
  assert.ok(seen.pieces <= count + 2, `${seen.pieces - count} pieces are taken`);
  slow.close();
  await serves(client);
});

test('a connection that speaks something else is closed', async ({ port, client }) => {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.end('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.resume();
  await once(socket, 'close');
  await serves(client);
});

test('a connection that is cut takes its calls with it', async ({ client, port, seen }) => {
  const other = new BareClient(port);
  other.open('Collect');
  other.open('Hang').end(framed('x'));
  await other.arrived();
  const [call] = seen.streams;
  const closed = new Promise<void>((resolve) => call?.onClose(resolve));
  other.close();
  await closed;
  await serves(client);
  const cancelled = seen.handled.filter((ended) => ended.endsWith(` ${status.CANCELLED}`));
  assert.equal(cancelled.sort(), [`Collect ${status.CANCELLED}`, `Hang ${status.CANCELLED}`]);
});

test.run();
