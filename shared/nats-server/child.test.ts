import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findBinary } from '../binaries/find.ts';
import { freeNatsPorts, type NatsServerOptions, startNatsServer } from './child.ts';
import { singleNodeConfig } from './config.ts';

interface Context {
  options: NatsServerOptions;
}
const test = suite<Context>('nats-server child');

test.before.each(async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'twonode-nats-child-'));
  const ports = await freeNatsPorts();
  context.options = {
    binary: await findBinary('nats-server'),
    config: singleNodeConfig('node-a', folder, ports, { services: 'secret' }),
    folder,
    ports,
    logger: pino({ level: 'silent' }),
  };
});
test.after.each(({ options }) => rm(options.folder, { recursive: true, force: true }));

async function message(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: Error) => error.message,
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** For at most 10 s. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.unreachable(what);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('names a port that is in use', async ({ options }) => {
  const other = createServer().listen(options.ports.nats, '127.0.0.1');
  await once(other, 'listening');
  assert.is(
    await message(startNatsServer(options)),
    `port ${options.ports.nats} on 127.0.0.1, the client port of nats-server, is in use by another program`,
  );
  other.close();
});

test('a configuration it does not understand is one sentence', async ({ options }) => {
  const text = await message(startNatsServer({ ...options, config: '{ "max_payload": "many" }' }));
  assert.match(text, /^nats-server does not start: /);
  assert.not.match(text, '\n');
});

test('is started again after kill -9, and keeps its configuration to its owner', async ({ options }) => {
  const server = await startNatsServer(options);
  const { pid } = server;
  assert.ok(pid);
  process.kill(pid, 'SIGKILL');
  await until(() => server.pid !== undefined && server.pid !== pid, 'not started again');
  await server.restart();
  assert.is((await stat(join(options.folder, 'nats-server.conf'))).mode & 0o777, 0o600);
  assert.match(await readFile(join(options.folder, 'nats.log'), 'utf8'), 'Server is ready');
  const last = server.pid;
  await server.stop();
  assert.ok(last && !isAlive(last));
});

test('dies with its parent, also when that is killed with SIGKILL', async ({ options }) => {
  const child = fileURLToPath(new URL('./child.js', import.meta.url));
  const { logger: _, ...plain } = options;
  const parent = spawn(process.execPath, [
    '--input-type=module',
    '--eval',
    `const { startNatsServer } = await import(${JSON.stringify(child)});
     const logger = { debug() {}, warn() {} };
     const server = await startNatsServer({ ...${JSON.stringify(plain)}, logger });
     console.log(server.pid);
     setInterval(() => {}, 1000);`,
  ]);
  const [line] = await once(parent.stdout, 'data');
  const pid = Number(line);
  assert.ok(isAlive(pid));
  parent.kill('SIGKILL');
  await until(() => !isAlive(pid), 'nats-server survived its parent');
});

test.run();
