import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort, requireFreePorts } from './ports.ts';

test('a free port is none that the kernel gives to a connection meanwhile', async () => {
  const range = await readFile('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
  const firstOfKernel = Number(range.split(/\s/)[0]);
  for (let i = 0; i < 50; i++) assert.ok((await freePort()) < firstOfKernel);
});

test('a port that is in use is named with what wants it', async () => {
  const port = await freePort();
  const wanted = [{ host: '127.0.0.1', port, purpose: 'the client port of nats-server' }];
  await requireFreePorts(wanted);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const refusal = await requireFreePorts(wanted).catch((error: Error) => error.message);
  server.close();
  assert.is(
    refusal,
    `port ${port} on 127.0.0.1, the client port of nats-server, is in use by another program`,
  );
});

test.run();
