import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { freePort } from '../../shared/process/ports.ts';
import { EtcdClient } from '../etcd-client.ts';
import { end, startTwonodeEtcd, startTwonodeEtcdOn } from '../etcd-servers.ts';
import { eventually } from '../eventually.ts';

/**
 * Bytes of the log change on the disk, or its end is cut off, while `twonode etcd` stands still. nats-server then leaves out what it
 * cannot read, some of it without a word; `twonode etcd` must say so, and not serve what is left.
 */
const test = suite('a damaged log of twonode etcd');
const run = promisify(execFile);
const keys = 50;
const noteLimitMs = 10_000;

/** More than one file of the stream, so that there is one which is not the last. */
const largeValue = 'x'.repeat(400_000);

/** The stream's files, oldest first. */
function filesOf(dataDir: string): string[] {
  return readdirSync(join(dataDir, 'nats'), { withFileTypes: true, recursive: true })
    .filter(({ name }) => name.endsWith('.blk'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort((left, right) => numberOf(left) - numberOf(right));
}

function numberOf(file: string): number {
  return Number(/(\d+)\.blk$/.exec(file)?.[1]);
}

/** Changes a byte of a key's record, or cuts the file off within it. */
function damage(dataDir: string, key: string, how: 'changed' | 'cut'): void {
  for (const file of filesOf(dataDir)) {
    const bytes = readFileSync(file);
    const at = bytes.lastIndexOf(key);
    if (at === -1) continue;
    if (how === 'cut') truncateSync(file, at);
    else
      writeFileSync(file, Buffer.concat([bytes.subarray(0, at), Buffer.from('?'), bytes.subarray(at + 1)]));
    return;
  }
  throw new Error(`${key} is in no file of the log`);
}

/** Whether it is noted that the log goes at least so far. */
function isNoted(dataDir: string, sequence: number): boolean {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'shim.json'), 'utf8')).sequence >= sequence;
  } catch {
    return false;
  }
}

/** A store of {@link keys} keys whose process has ended by a signal. Returns its folder. */
async function stoppedStore(signal: NodeJS.Signals, value: string): Promise<string> {
  const server = await startTwonodeEtcd();
  const client = new EtcdClient(server.address);
  for (let i = 0; i < keys; i++) await client.put({ key: `key-${i}`, value });
  client.close();
  // The first record is that of the epoch.
  await eventually(
    async () => isNoted(server.dataDir, keys + 1),
    (noted) => noted,
    noteLimitMs,
  );
  await end(server.child, signal);
  return server.dataDir;
}

async function startOn(dataDir: string): Promise<{ code: number; stderr: string }> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const command = ['bin/twonode.js', 'etcd', '--data-dir', dataDir, '--listen-client-urls', url];
  const ended = await run(process.execPath, command, { timeout: 20_000 }).catch(
    (error: { code: number; stderr: string }) => error,
  );
  return { code: 'code' in ended ? ended.code : 0, stderr: ended.stderr };
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  for (const how of ['changed', 'cut'] as const) {
    for (const [place, key] of [
      ['at the end', 'key-49'],
      ['in the middle', 'key-25'],
    ] as const) {
      test(`a record ${how} ${place}, after ${signal}`, async () => {
        const dataDir = await stoppedStore(signal, 'value');
        damage(dataDir, key, how);
        const { code, stderr } = await startOn(dataDir);
        assert.is(code, 1, stderr);
        assert.match(stderr, /are lost|has lost its records|cannot be used|it is not whole/);
        rmSync(dataDir, { recursive: true });
      });
    }
  }
}

for (const key of ['key-10', 'key-25']) {
  test(`a record changed in a file that is not the last: ${key}`, async () => {
    const dataDir = await stoppedStore('SIGKILL', largeValue);
    assert.ok(filesOf(dataDir).length > 1);
    damage(dataDir, key, 'changed');
    const { code, stderr } = await startOn(dataDir);
    assert.is(code, 1, stderr);
    assert.match(stderr, /are lost|has lost its records|cannot be used|it is not whole/);
    rmSync(dataDir, { recursive: true });
  });
}

test('who removes the note goes on with what is left', async () => {
  const dataDir = await stoppedStore('SIGKILL', 'value');
  damage(dataDir, 'key-25', 'changed');
  const { stderr } = await startOn(dataDir);
  const note = /remove (\S+) to go on/.exec(stderr)?.[1] ?? '';
  assert.is(note, join(dataDir, 'shim.json'));
  rmSync(note);
  const server = await startTwonodeEtcdOn(dataDir);
  const client = new EtcdClient(server.address);
  assert.is(await client.get('key-24'), 'value');
  client.close();
  await server.stop();
});

test.run();
