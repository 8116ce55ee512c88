import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findBinary, pinnedVersion } from './find.ts';

interface Context {
  folder: string;
  builds: number;
}
const test = suite<Context>('findBinary');

test.before.each(async (context) => {
  context.folder = await mkdtemp(join(tmpdir(), 'twonode-binaries-'));
  context.builds = 0;
});
test.after.each((context) => rm(context.folder, { recursive: true, force: true }));

async function script(file: string, output: string): Promise<string> {
  await writeFile(file, `#!/bin/sh\necho "${output}"\n`);
  await chmod(file, 0o755);
  return file;
}

function find(context: Context, environment: Record<string, string>) {
  return findBinary('nats-server', () => {}, {
    environment: { TWONODE_CACHE: join(context.folder, 'cache'), ...environment },
    build: async (_name, _version, target) => {
      context.builds++;
      await new Promise((resolve) => setTimeout(resolve, 50));
      await script(target, 'built');
    },
  });
}

test('takes what the environment variable names', async (context) => {
  const given = await script(join(context.folder, 'my-nats'), 'nats-server: v2.15.0');
  assert.is(await find(context, { TWONODE_NATS_SERVER: given }), given);
});

test('refuses a given binary that is too old, in one sentence', async (context) => {
  const given = await script(join(context.folder, 'old'), 'nats-server: v2.10.4');
  try {
    await find(context, { TWONODE_NATS_SERVER: given });
    assert.unreachable();
  } catch (error) {
    assert.is(
      (error as Error).message,
      `TWONODE_NATS_SERVER=${given}: nats-server 2.10.4 cannot be used, expected 2.15 or later`,
    );
  }
});

test('refuses a given binary that is not there', async (context) => {
  try {
    await find(context, { TWONODE_NATS_SERVER: '/nowhere/nats-server' });
    assert.unreachable();
  } catch (error) {
    assert.is(
      (error as Error).message,
      'TWONODE_NATS_SERVER=/nowhere/nats-server: there is no program that can be run',
    );
  }
});

test('passes over an old one on PATH and takes a recent one', async (context) => {
  const [old, recent] = [join(context.folder, 'old'), join(context.folder, 'recent')];
  await mkdir(old);
  await mkdir(recent);
  await script(join(old, 'nats-server'), 'nats-server: v2.14.9');
  const wanted = await script(join(recent, 'nats-server'), 'nats-server: v2.16.1');
  assert.is(await find(context, { PATH: `${old}:${recent}:/bin` }), wanted);
});

test('builds what is nowhere, once for all who ask at once, and finds it in the cache after that', async (context) => {
  const [first, second] = await Promise.all([
    find(context, { PATH: '/bin' }),
    find(context, { PATH: '/bin' }),
  ]);
  assert.is(first, second);
  assert.match(await readFile(first, 'utf8'), 'built');
  assert.is(await find(context, { PATH: '/bin' }), first);
  assert.is(context.builds, 1);
});

test('reads the pinned version from go.mod', async () => {
  assert.match(await pinnedVersion('kubectl'), /^v1\.\d+\.\d+$/);
});

test.run();
