import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readHttp } from './http.ts';

/** Asks a server on loopback that answers like this. */
async function ask(answer: RequestListener, timeoutMs: number) {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const reading = await readHttp(`http://127.0.0.1:${port}/`, timeoutMs);
  server.closeAllConnections();
  server.close();
  return reading;
}

test('of a long body the first 16 KiB are read', async () => {
  const reading = await ask((_, response) => response.end('x'.repeat(100_000)), 5_000);
  assert.ok(reading.answered);
  assert.is(reading.answered && reading.body.length, 16 * 1024);
});

test('an answer that begins and does not end is none', async () => {
  const reading = await ask((_, response) => response.write('x'), 100);
  assert.is(reading.answered, false);
  assert.is(!reading.answered && reading.timedOut, true);
});

test('a server that hangs up is no timeout', async () => {
  const reading = await ask((request) => request.socket.destroy(), 5_000);
  assert.is(reading.answered, false);
  assert.is(!reading.answered && reading.timedOut, false);
});

test.run();
