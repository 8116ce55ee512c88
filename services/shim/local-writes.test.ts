import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { putRequest } from './etcd/messages.ts';
import { LeaseExpiry } from './lease/expiry.ts';
import { LocalWrites, toEtcdError } from './local-writes.ts';
import { GroupCommit } from './log/group-commit.ts';
import { Quota } from './quota.ts';
import { Database } from './store/database.ts';

const test = suite('writes at the quota');
const logger = pino({ level: 'silent' });
const quotaBytes = 10_000;

/** Writes into a log in memory that is as large as said. */
async function setUp(options: {
  logBytes: () => number;
  makeRoom: () => Promise<boolean>;
  monotonicMs?: () => number;
}) {
  const database = new Database();
  const commit = new GroupCommit({
    store: database.store,
    position: { sequence: 0, chain: 0 },
    epoch: 1,
    publish: async (_record, last) => last + 1,
    replicated: () => Promise.resolve(),
    onLogged: () => undefined,
    onVisible: () => undefined,
    onFenced: () => undefined,
    close: () => undefined,
    now: () => 0,
    logger,
  });
  const quota = new Quota(quotaBytes, async () => options.logBytes());
  await quota.refresh();
  const writes = new LocalWrites({
    database,
    commit,
    expiry: new LeaseExpiry(),
    identity: Buffer.alloc(0),
    memberId: 1n,
    quota,
    newLeaseId: () => 1n,
    monotonicMs: options.monotonicMs ?? (() => 0),
    makeRoom: options.makeRoom,
    logger,
  });
  const put = () =>
    writes.write('Put', Buffer.from(putRequest.encode({ key: '/a', value: Buffer.alloc(100) })));
  return { database, writes, put };
}

test('one that waits takes the room that was made elsewhere', async () => {
  let logBytes = quotaBytes;
  let asked = 0;
  const makeRoom = async () => {
    // No cut of this writer's: the log became smaller, or was never so large.
    if (++asked === 3) logBytes = 0;
    return true;
  };
  const { writes, database, put } = await setUp({ logBytes: () => logBytes, makeRoom });
  await put();
  assert.is(asked, 3);
  assert.is(database.store.current('/a')?.version, 1);
  await writes.finish();
});

test('one that waits while its writer ends leaves nothing in the store', async () => {
  let logBytes = quotaBytes;
  let end = () => Promise.resolve();
  const makeRoom = async () => {
    await end();
    logBytes = 0;
    return true;
  };
  const { writes, database, put } = await setUp({ logBytes: () => logBytes, makeRoom });
  end = async () => {
    await writes.finish();
  };
  const refusal = await put().catch((error: Error) => error.message);
  assert.match(String(refusal), /etcdserver/);
  assert.is(database.store.current('/a'), undefined);
});

test('one for which no room comes is told so in time, and may be tried again', async () => {
  let now = 0;
  const makeRoom = async () => {
    now += 1_000;
    return true;
  };
  const { writes, database, put } = await setUp({
    logBytes: () => quotaBytes,
    makeRoom,
    monotonicMs: () => now,
  });
  const refusal = await put().catch((error: Error) => error.message);
  assert.is(refusal, 'etcdserver: request timed out');
  assert.ok(now <= 30_000, `after ${now} ms`);
  assert.is(database.alarms.raised().length, 0);
  await writes.finish();
});

test('one that comes when there is nothing to clean raises the alarm', async () => {
  const { writes, database, put } = await setUp({ logBytes: () => quotaBytes, makeRoom: async () => false });
  const refusal = await put().catch((error: Error) => error.message);
  assert.is(refusal, 'etcdserver: mvcc: database space exceeded');
  assert.is(database.alarms.raised().length, 1);
  await writes.finish();
});

test('a file system without room is told as etcd does', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  assert.match(toEtcdError(full).message, 'database space exceeded');
});

test.run();
