import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../../../shared/process/ports.ts';
import { BareClient, framed, startEchoServer } from './echo-service.ts';
import { keepAlive } from './keepalive.ts';

const test = suite('gRPC keepalive');

test('a client that answers pings stays, one that does not is cut off', async () => {
  const { server, port } = await startEchoServer({ keepalive: { intervalMs: 50, timeoutMs: 300 } });
  const alive = new BareClient(port);
  const silent = connect(port, '127.0.0.1');
  silent.on('error', () => undefined);
  // HTTP/2's preface and empty settings; pings are read and never answered.
  silent.write(
    Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0)]),
  );
  silent.resume();
  await once(silent, 'close');
  const { messages } = await alive.send('Same', framed('alive'));
  assert.equal(messages, ['alive']);
  alive.close();
  await server.stop(1_000);
});

test('a connection that ends as its ping is due is asked no more', async () => {
  const server = createServer();
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  const client = new BareClient(port);
  const [session] = (await once(server, 'session')) as [ServerHttp2Session];
  keepAlive(session, { intervalMs: 1, timeoutMs: 300 });
  // An ended session says so in the next round of the event loop, behind the timers that are due by then.
  setImmediate(() => {
    session.destroy();
    const until = performance.now() + 5;
    while (performance.now() < until);
  });
  await once(session, 'close');
  client.close();
  server.close();
});

test.run();
