import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { connectBus, whileConnected } from './bus.ts';

const test = suite('the connection to the own nats-server');
const info = { server_id: 'test', version: '2.15.2', max_payload: 1_048_576, headers: true, proto: 1 };

/** As much of a nats-server as lets a client connect. */
function greet(socket: Socket): void {
  socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  socket.on('data', (data) => {
    if (data.includes('PING')) socket.write('PONG\r\n');
  });
}

/** Listens as a nats-server; `accept` is told which connection it is, from 1 on. */
async function listen(accept: (socket: Socket, count: number) => void) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    accept(socket, sockets.push(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const dropConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  const logger = pino({ level: 'silent' });
  const options = { url: `nats://127.0.0.1:${port}`, name: 'test', user: 'test', password: 'test', logger };
  return {
    options,
    dropConnections,
    close: () => {
      dropConnections();
      server.close();
    },
  };
}

for (const [what, fail] of [
  ['never greets', () => undefined],
  [
    'closes in the middle of the greeting',
    (socket: Socket) => {
      socket.write(`INFO ${JSON.stringify(info)}\r\n`);
      socket.once('data', () => socket.destroy());
    },
  ],
] as const) {
  test(`a server that ${what} is dialled again within seconds`, async () => {
    const server = await listen((socket, count) => (count === 1 ? fail(socket) : greet(socket)));
    const startedMs = performance.now();
    const connection = await connectBus(server.options);
    assert.ok(performance.now() - startedMs < 5_000);
    await connection.close();
    server.close();
  });
}

test('what waits for an answer fails as soon as the connection is lost, not at its own limit', async () => {
  const server = await listen(greet);
  const connection = await connectBus(server.options);
  assert.is(await whileConnected(connection, Promise.resolve('answer')), 'answer');
  const asked = whileConnected(connection, new Promise<string>(() => undefined));
  server.dropConnections();
  const outcome = await asked.catch((error: Error) => error.message);
  assert.is(outcome, 'the connection to nats-server was lost');
  await connection.close();
  server.close();
});

test.run();
