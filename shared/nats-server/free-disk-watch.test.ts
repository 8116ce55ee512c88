import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createLogger } from '../logger.ts';
import { watchFreeDisk } from './free-disk-watch.ts';

const sticky = `{"status":"error","error":"JetStream stream '$G > LOG' write error: 1.blk: no space left on device"}`;

/** A nats-server's monitoring port that answers `body`; counts the questions. */
async function monitoring(body: string) {
  let asked = () => {};
  const twice = new Promise<void>((resolve) => {
    let count = 0;
    asked = () => {
      if (++count === 2) resolve();
    };
  });
  const server = createServer((_, response) => {
    response.writeHead(503).end(body);
    asked();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, twice, close: () => server.close() };
}

const options = (monitoringPort: number, minFreePercent: number) => ({
  monitoringPort,
  folder: tmpdir(),
  minFreePercent,
  logger: createLogger('test', 'error'),
});

test('a write error that stays although there is space: the server is restarted', async () => {
  const server = await monitoring(sticky);
  let stop = () => {};
  await new Promise<void>((resolve) => {
    stop = watchFreeDisk({ ...options(server.port, 0), restart: async () => resolve() });
  });
  stop();
  server.close();
});

for (const [name, body, minFreePercent] of [
  ['while the disk is full nothing is restarted', sticky, 101],
  ['what is no write error is not ours to cure', '{"status":"error","error":"JetStream is not current"}', 0],
] as const) {
  test(name, async () => {
    const server = await monitoring(body);
    let restarts = 0;
    const stop = watchFreeDisk({
      ...options(server.port, minFreePercent),
      restart: async () => {
        restarts++;
      },
    });
    await server.twice;
    stop();
    server.close();
    assert.is(restarts, 0);
  });
}

test.run();
