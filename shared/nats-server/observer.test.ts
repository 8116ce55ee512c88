import { execFile, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type NatsConnection, StringCodec } from 'nats';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findBinary } from '../binaries/find.ts';
import { freePort } from '../process/ports.ts';
import { terminate } from '../process/supervise.ts';
import { serveStatus } from '../status-endpoint.ts';
import { subjects } from '../subjects.ts';
import { type ServerPair, startServerPair } from './testing.ts';

interface Context {
  pair: ServerPair;
  services: NatsConnection;
  observer: NatsConnection;
  /** The `nats` command, and its arguments for the server of node-a. */
  nats: string;
  server: string[];
}
const test = suite<Context>('observer');
const text = StringCodec();

test.before(async (context) => {
  context.pair = await startServerPair();
  context.services = await context.pair.connect('node-a', 'services');
  context.observer = await context.pair.connect('node-a', 'observer');
  context.nats = await findBinary('nats');
  context.server = ['--server', context.pair.leader.url];
  await serveStatus(context.services, 'shim', 'node-a', () => ({ state: 'Leader' }));
});
test.after((context) => context.pair.stop());

test('plain `nats sub` shows health signals', async ({ nats, server, services }) => {
  const child = spawn(nats, ['sub', 'twonode.health.>', '--raw', '--count=1', ...server]);
  const seen = (async () => {
    let output = '';
    for await (const chunk of child.stdout) output += chunk;
    return output;
  })();
  const tick = setInterval(() => services.publish('twonode.health.node-a.local.nic', 'carrier is up'), 20);
  assert.match(await seen, 'carrier is up');
  clearInterval(tick);
});

test('plain `nats micro ls` lists the services', async ({ nats, server }) => {
  const { stdout } = await promisify(execFile)(nats, ['micro', 'ls', ...server], { timeout: 20_000 });
  assert.match(stdout, 'twonode-shim');
});

test('asks a service for its status', async ({ observer }) => {
  const answer = await observer.request(subjects.status('node-a', 'shim'), '', { timeout: 2_000 });
  assert.equal(answer.json(), { state: 'Leader' });
});

for (const subject of [
  'twonode.health.node-a.local.nic',
  'twonode.state.node-a',
  'twonode.rpc.node-a.write',
  'log.records',
  '$JS.API.INFO',
]) {
  test(`may not publish on ${subject}`, async ({ pair, services }) => {
    const observer = await pair.connect('node-a', 'observer');
    const refused = permissionError(observer);
    const arrived: string[] = [];
    const subscription = services.subscribe(subject, {
      callback: (_error, message) => arrived.push(text.decode(message.data)),
    });
    await services.flush();
    observer.publish(subject, 'forged');
    assert.match(await refused, `Permissions Violation for Publish to "${subject}"`);
    await services.flush();
    subscription.unsubscribe();
    assert.equal(arrived, []);
  });
}

for (const subject of ['>', 'log.records', 'twonode.rpc.>', 'twonode.inbox.>']) {
  test(`may not subscribe to ${subject}`, async ({ pair }) => {
    const observer = await pair.connect('node-a', 'observer');
    const outcome = new Promise((resolve) =>
      observer.subscribe(subject, { callback: (error) => resolve(error?.message) }),
    );
    assert.match(String(await outcome), 'Permissions Violation for Subscription');
  });
}

async function permissionError(connection: NatsConnection): Promise<string> {
  for await (const status of connection.status()) {
    if (status.type === 'error') {
      const error = status as { permissionContext?: unknown; data: unknown };
      const { operation, subject } = error.permissionContext as { operation: string; subject: string };
      return `Permissions Violation for ${operation[0]?.toUpperCase()}${operation.slice(1)} to "${subject}"`;
    }
  }
  return 'closed';
}

test('a leaf without a password is turned away', async ({ pair }) => {
  const [leader] = pair.config.nodes;
  const file = join(pair.folder, 'stranger.conf');
  await writeFile(
    file,
    JSON.stringify({
      listen: `127.0.0.1:${await freePort()}`,
      leafnodes: { remotes: [{ url: `nats-leaf://127.0.0.1:${leader?.ports.leaf}` }] },
    }),
  );
  const stranger = spawn(await findBinary('nats-server'), ['--config', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const limit = setTimeout(() => stranger.kill(), 10_000);
  let log = '';
  for await (const chunk of stranger.stderr) {
    log += chunk;
    if (/Authorization Violation|Leafnode connection.*established/i.test(log)) break;
  }
  clearTimeout(limit);
  await terminate(stranger, 5_000);
  assert.match(log, /Authorization Violation/i);
});

test.run();
