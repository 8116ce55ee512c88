import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Database } from '../store/database.ts';
import { readKeyValue } from '../store/key-value.ts';
import { LogCleaner } from './cleaner.ts';
import { GroupCommit } from './group-commit.ts';
import { decodeRecord, type Entry } from './record.ts';
import { RecordIndex } from './record-index.ts';

const test = suite('log cleaning');
const logger = pino({ level: 'silent' });

/** A log in memory, with its writer and its cleaner. */
function setUp() {
  const database = new Database();
  const { store } = database;
  const log = new Map<number, Buffer>();
  const records = new RecordIndex();
  const commit = new GroupCommit({
    store,
    position: { sequence: 0, chain: 0 },
    epoch: 1,
    publish: async (record, last) => {
      log.set(last + 1, record);
      return last + 1;
    },
    replicated: () => Promise.resolve(),
    onLogged: (sequence, lastRevision) => records.add(sequence, lastRevision),
    onVisible: () => undefined,
    onFenced: () => undefined,
    close: () => undefined,
    now: () => 0,
    logger,
  });
  let copied = true;
  const cleaner = new LogCleaner({
    database,
    commit,
    records,
    bytes: async () => [...log.values()].reduce((sum, record) => sum + record.length, 0),
    purge: async (sequence) => {
      for (const known of [...log.keys()]) if (known < sequence) log.delete(known);
    },
    isCopied: () => copied,
    quotaBytes: 16,
    logger,
  });
  const write = (change: () => { bytes: Buffer; modRevision: number }) => {
    const version = change();
    const entry: Entry = {
      kind: 'revision',
      revision: version.modRevision,
      cause: 'client',
      changes: [version.bytes],
    };
    return commit.append([entry]);
  };
  const put = (key: string, value: string, lease = 0n) =>
    write(() => store.put(store.head + 1, key, Buffer.from(value), lease));
  const remove = (key: string) => write(() => store.delete(store.head + 1, key));
  const compact = async (revision: number) => {
    await commit.append([{ kind: 'compact', revision }]);
    store.compact(revision);
    while (store.sweep(10));
  };
  /** What a restart makes of the log. */
  const replayed = () => {
    const again = new Database();
    let chain: number | undefined;
    for (const record of log.values()) {
      const decoded = decodeRecord(record, chain);
      chain = decoded.chain;
      again.apply(decoded);
      again.store.show(decoded.lastRevision);
    }
    while (again.store.sweep(10));
    return again;
  };
  const setCopied = (value: boolean) => {
    copied = value;
  };
  return { database, log, cleaner, commit, put, remove, compact, replayed, setCopied };
}

/** Everything that a reader can see at a revision. */
function contents({ store }: Database, revision: number) {
  return store.range({ key: '', end: null, revision }).map((version) => {
    const { value, lease, ...numbers } = readKeyValue(version.bytes);
    return { ...numbers, value: value.toString(), lease: lease.toString() };
  });
}

test('every readable revision reads the same after a restart on the cleaned log', async () => {
  const { database, log, cleaner, put, remove, compact, replayed } = setUp();
  for (let i = 0; i < 40; i++) await put(`k${i % 7}`, `value ${i}`);
  await put('deleted', 'x');
  await remove('deleted');
  await compact(30);
  await put('k1', 'later');
  await remove('k2');
  const before = log.size;
  await cleaner.run();
  assert.ok(log.size < before, `${log.size} of ${before} records`);
  assert.is([...log.keys()][0], database.cleanedTo);
  const again = replayed();
  assert.is(again.store.head, database.store.head);
  assert.is(again.store.compacted, 30);
  for (let revision = 30; revision <= database.store.head; revision++) {
    assert.equal(contents(again, revision), contents(database, revision), `at revision ${revision}`);
  }
});

test('a deletion that is cleaned later does not let its key rise again', async () => {
  const { database, cleaner, put, remove, compact, replayed } = setUp();
  for (let i = 0; i < 20; i++) await put('noise', 'x'.repeat(50));
  await put('victim', 'v');
  await compact(database.store.head);
  await remove('victim');
  // Stated again while it is deleted already; the deletion itself stands in a record that is purged next time.
  await cleaner.run();
  for (let i = 0; i < 20; i++) await put('noise', 'y'.repeat(50));
  await compact(database.store.head);
  await cleaner.run();
  assert.is(replayed().store.current('victim'), undefined);
  assert.is(replayed().store.size.keys, 1);
});

test('leases, epochs, merges and conflicts are stated again', async () => {
  const { database, cleaner, commit, put, compact, replayed } = setUp();
  const rest: Entry[] = [
    { kind: 'epoch', number: 1, id: 'e1', firstSequence: 1 },
    { kind: 'lease-grant', id: 7n, ttlSeconds: 60 },
    { kind: 'lease-grant', id: 8n, ttlSeconds: 60 },
    { kind: 'merged', overlay: 'o', position: 9 },
    { kind: 'conflict', conflict: { key: 'c', leader: null, follower: Buffer.from('f'), followerTimeMs: 1 } },
  ];
  for (const entry of rest) database.applyEntry(entry);
  await commit.append(rest);
  await commit.append([{ kind: 'lease-revoke', id: 8n }]);
  database.leases.delete(8n);
  for (let i = 0; i < 20; i++) await put('k', `${i}`, 7n);
  await compact(database.store.head);
  await cleaner.run();
  assert.ok(database.cleanedTo > 1);
  const again = replayed();
  assert.equal([...again.leases], [[7n, 60]]);
  assert.equal(again.store.leasedKeys(7n), ['k']);
  assert.equal(again.epochs, database.epochs);
  assert.equal([...again.merged], [['o', 9]]);
  assert.is(again.conflicts.length, 1);
});

test('nothing is purged before the follower has the whole', async () => {
  const { database, log, cleaner, put, compact, setCopied } = setUp();
  for (let i = 0; i < 20; i++) await put('k', `${i}`);
  await compact(database.store.head);
  setCopied(false);
  await cleaner.run();
  assert.is([...log.keys()][0], 1);
  setCopied(true);
  await cleaner.run();
  assert.is([...log.keys()][0], database.cleanedTo);
});

test('the log stays small however often a few keys are written', async () => {
  const { database, log, cleaner, put, compact, replayed } = setUp();
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 40; i++) await put(`k${i % 10}`, 'x'.repeat(100));
    await compact(database.store.head - 5);
    await cleaner.run();
    assert.ok(log.size < 200, `${log.size} records in round ${round}`);
  }
  assert.equal(contents(replayed(), database.store.head), contents(database, database.store.head));
});

test.run();
