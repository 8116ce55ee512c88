import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import { request, type Server } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { caBundle, renew } from './certificates.ts';
import { close, serve } from './server.ts';

interface Context {
  server: Server;
  port: number;
  ca: string;
  tlsFaults: string[];
}
const test = suite<Context>('slow clients of the webhook');
const limits = { handshakeMs: 200, requestMs: 200, checkMs: 50 };
/** Much more than the limits, for a busy machine; much less than for ever. */
const cutOffMs = 5_000;

const answer: RequestListener = (asked, response) => {
  asked.resume().once('end', () => response.end('yes'));
};

test.before(async (context) => {
  const certificates = await renew(null, 'node-b', Date.now(), 3_600_000);
  context.ca = caBundle(certificates);
  context.tlsFaults = [];
  const onTlsFault = (code: string) => context.tlsFaults.push(code);
  context.server = await serve(answer, 0, certificates.leaf, onTlsFault, limits);
  context.port = (context.server.address() as AddressInfo).port;
});
test.after(({ server }) => close(server));

function ask({ port, ca }: Context): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, ca, agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode));
    });
    asked.once('error', reject).end();
  });
}

/** What the server said before it closed the connection. */
async function untilClosed(socket: Socket): Promise<string> {
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  socket.on('error', () => {});
  await once(socket, 'close', { signal: AbortSignal.timeout(cutOffMs) });
  return said;
}

async function overTls({ port, ca }: Context, firstBytes: string): Promise<Socket> {
  const socket = tlsConnect({ host: '127.0.0.1', port, ca });
  await once(socket, 'secureConnect');
  socket.write(firstBytes);
  return socket;
}

test('one that never begins its handshake is cut off', async (context) => {
  const closed = untilClosed(connect(context.port, '127.0.0.1'));
  assert.is(await ask(context), 200);
  await closed;
  assert.ok(context.tlsFaults.includes('ERR_TLS_HANDSHAKE_TIMEOUT'));
});

test('one that never ends its head gets 408', async (context) => {
  const closed = untilClosed(await overTls(context, 'POST /validate HTTP/1.1\r\nHost: x\r\n'));
  assert.is(await ask(context), 200);
  assert.match(await closed, /^HTTP\/1\.1 408 /);
});

test('one that sends its body by the byte gets 408', async (context) => {
  const socket = await overTls(context, 'POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n');
  const trickle = setInterval(() => socket.write('x'), 20);
  socket.once('close', () => clearInterval(trickle));
  const closed = untilClosed(socket);
  assert.is(await ask(context), 200);
  assert.match(await closed, /^HTTP\/1\.1 408 /);
});

test.run();
