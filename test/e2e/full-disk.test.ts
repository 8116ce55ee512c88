import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EtcdClient } from '../etcd-client.ts';
import { type EtcdServer, startTwonodeEtcd } from '../etcd-servers.ts';
import { eventually } from '../eventually.ts';

/**
 * The disk under the store is really full: a small tmpfs, far below the quota. Rows of `test/faults` do it to a whole node;
 * here it is looked at what becomes of the data.
 */
interface Context {
  mount: string;
  server: EtcdServer;
}
const test = suite<Context>('a full disk');
const size = '48m';
const value = 'x'.repeat(50_000);
/** nats-server is restarted at most every 30 s. */
const healLimitMs = 90_000;

/** Where it cannot be mounted: no root, or a container that may not. */
function mountTmpfs(): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-full-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', folder], { stdio: 'ignore' });
    return folder;
  } catch {
    rmdirSync(folder);
    return null;
  }
}

const mount = mountTmpfs();
const testWhereMounted = mount ? test : test.skip;

test.before(async (context) => {
  if (!mount) return;
  context.mount = mount;
  const usual = process.env.TMPDIR;
  process.env.TMPDIR = mount;
  context.server = await startTwonodeEtcd();
  if (usual === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = usual;
});
test.after(async ({ server }) => {
  if (!mount) return;
  await server.stop();
  execFileSync('umount', [mount]);
  rmdirSync(mount);
});

/** Takes all that is left, but what rounds down to less than a block. */
function fill(folder: string): string {
  const file = join(folder, 'filler');
  const { bavail, bsize } = statfsSync(folder);
  writeFileSync(file, Buffer.alloc(bavail * bsize));
  return file;
}

testWhereMounted(
  'writes get an error, reads go on, nothing is lost, and it heals by itself',
  async ({ mount, server }) => {
    const client = new EtcdClient(server.address);
    const acknowledged = new Map<string, string>();
    const put = async (key: string) => {
      await client.put({ key, value: `${key} ${value}` });
      acknowledged.set(key, `${key} ${value}`);
    };
    const allThere = async () => {
      for (const [key, expected] of acknowledged) assert.is(await client.get(key), expected, key);
    };
    for (let i = 0; i < 20; i++) await put(`before/${i}`);

    const filler = fill(mount);
    const outcome = async (i: number) => {
      try {
        await put(`full/${i}`);
        return 'acknowledged';
      } catch (error) {
        return (error as Error).message;
      }
    };
    // Some blocks of the stream may have room still.
    let last = 'acknowledged';
    for (let i = 0; i < 1_000 && last === 'acknowledged'; i++) last = await outcome(i);
    assert.match(last, /etcdserver: /);
    await allThere();

    rmSync(filler);
    await eventually(
      () => outcome(1_000),
      (answer) => answer === 'acknowledged',
      healLimitMs,
    );
    await allThere();
    await server.killAndRestart();
    await allThere();
    client.close();
  },
);

test.run();
