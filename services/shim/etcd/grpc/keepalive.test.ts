import { once } from 'node:events';
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BareClient, framed, startEchoServer } from './echo-service.ts';

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

test.run();
