import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../../shared/process/ports.ts';
import { createLink, type Route, type SwitchedLink } from './link.ts';
import { relayTcp } from './tcp.ts';
import { relayUdp } from './udp.ts';

interface Context {
  link: SwitchedLink;
  route: Route;
}
const test = suite<Context>('relay');

test.before.each(async (context) => {
  context.link = createLink();
  context.route = {
    protocol: 'tcp',
    from: { host: '127.0.1.1', port: await freePort() },
    to: { host: '127.0.0.1', port: await freePort() },
  };
});

/** A server behind the relay that answers each chunk with itself. */
async function echo({ to }: Route) {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(to.port, to.host);
  await once(server, 'listening');
  return server;
}

async function answer(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = await once(socket, 'data');
  return String(chunk);
}

/** What comes within a time; null when nothing does. */
function within<T>(ms: number, promise: Promise<T>): Promise<T | null> {
  return Promise.race([promise, new Promise<null>((resolve) => setTimeout(() => resolve(null), ms).unref())]);
}

test('TCP: an established connection hangs while the link is cut, and goes on at healing', async ({
  link,
  route,
}) => {
  const server = await echo(route);
  const relay = await relayTcp(route, link);
  const client = connect(route.from.port, route.from.host);
  assert.is(await answer(client, 'one'), 'one');
  link.set(true);
  const second = answer(client, 'two');
  assert.is(await within(100, second), null);
  link.set(false);
  assert.is(await second, 'two');
  client.destroy();
  relay.close();
  server.close();
});

test('TCP: small messages do not wait for acknowledgements of those before', async ({ link, route }) => {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => String(chunk).includes('b') && socket.write('both'));
  });
  server.listen(route.to.port, route.to.host);
  await once(server, 'listening');
  const relay = await relayTcp(route, link);
  const client = connect({ ...route.from, noDelay: true });
  await once(client, 'connect');
  const tookMs: number[] = [];
  for (let round = 0; round < 31; round++) {
    client.write('a');
    await delay(1);
    const sentMs = performance.now();
    await answer(client, 'b');
    tookMs.push(performance.now() - sentMs);
  }
  client.destroy();
  relay.close();
  server.close();
  // A delayed acknowledgement takes 40 ms; most rounds would wait for one.
  const median = tookMs.sort((one, other) => one - other)[15] ?? Number.NaN;
  assert.ok(median < 20, `half of them took ${median} ms`);
});

test('TCP: what dials while the link is cut is dropped at healing, and can dial again', async ({
  link,
  route,
}) => {
  const server = await echo(route);
  const relay = await relayTcp(route, link);
  link.set(true);
  const client = connect(route.from.port, route.from.host);
  const closed = once(client, 'close');
  assert.is(await within(100, closed), null);
  link.set(false);
  await closed;
  const again = connect(route.from.port, route.from.host);
  assert.is(await answer(again, 'hello'), 'hello');
  again.destroy();
  relay.close();
  server.close();
});

test('TCP: a node that does not listen closes the connection', async ({ link, route }) => {
  const relay = await relayTcp(route, link);
  const client = connect(route.from.port, route.from.host);
  await once(client, 'close');
  relay.close();
});

test('UDP: passes datagrams on, and loses them while the link is cut', async ({ link, route }) => {
  const receiver = createSocket('udp4');
  receiver.bind(route.to.port, route.to.host);
  await once(receiver, 'listening');
  const relay = await relayUdp({ ...route, protocol: 'udp' }, link);
  const sender = createSocket('udp4');
  const receive = async () => String((await once(receiver, 'message'))[0]);
  const first = receive();
  sender.send('one', route.from.port, route.from.host);
  assert.is(await first, 'one');
  link.set(true);
  const second = receive();
  await new Promise((resolve) => sender.send('lost', route.from.port, route.from.host, resolve));
  assert.is(await within(100, second), null);
  link.set(false);
  sender.send('two', route.from.port, route.from.host);
  assert.is(await second, 'two');
  sender.close();
  receiver.close();
  relay.close();
});

test.run();
