import fc from 'fast-check';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Database } from '../store/database.ts';
import { readKeyValue } from '../store/key-value.ts';
import { LogCleaner } from './cleaner.ts';
import { GroupCommit } from './group-commit.ts';
import { type Conflict, decodeRecord, type Entry } from './record.ts';
import { RecordIndex } from './record-index.ts';

const test = suite('log cleaning');
const logger = pino({ level: 'silent' });

/** What a restart makes of a log. */
function replay(log: ReadonlyMap<number, Buffer>): Database {
  const database = new Database();
  let chain: number | undefined;
  for (const [sequence, record] of log) {
    const decoded = decodeRecord(record, chain);
    chain = decoded.chain;
    database.apply(decoded, sequence);
    database.store.show(decoded.lastRevision);
  }
  while (database.store.sweep(10));
  return database;
}

interface Setting {
  /** Each cut takes a 32nd of it, or one record: at the default always one. */
  quotaBytes?: number;
  /** Called after each step that changes the log: what a kill leaves behind. */
  onStep?: () => void;
}

/** A log in memory, with its writer and its cleaner. */
function setUp({ quotaBytes = 16, onStep = () => undefined }: Setting = {}) {
  const database = new Database();
  const { store } = database;
  const log = new Map<number, Buffer>();
  let writtenBytes = 0;
  const records = new RecordIndex();
  const commit = new GroupCommit({
    store,
    position: { sequence: 0, chain: 0 },
    epoch: 1,
    publish: async (record, last) => {
      log.set(last + 1, record);
      writtenBytes += record.length;
      return last + 1;
    },
    replicated: () => Promise.resolve(),
    onLogged: (sequence, lastRevision, bytes) => {
      records.add(sequence, lastRevision, bytes);
      onStep();
    },
    onVisible: () => undefined,
    onFenced: () => undefined,
    close: () => undefined,
    now: () => 0,
    logger,
  });
  let copied = true;
  const bytes = () => [...log.values()].reduce((sum, record) => sum + record.length, 0);
  const cleaner = new LogCleaner({
    database,
    cleaned: database,
    commit,
    records,
    bytes: async () => bytes(),
    purge: async (sequence) => {
      for (const known of [...log.keys()]) if (known < sequence) log.delete(known);
      onStep();
    },
    isCopied: () => copied,
    quotaBytes,
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
  const setCopied = (value: boolean) => {
    copied = value;
  };
  return {
    database,
    log,
    bytes,
    written: () => writtenBytes,
    cleaner,
    commit,
    put,
    remove,
    compact,
    replayed: () => replay(log),
    setCopied,
  };
}

/** Everything that a reader can see at a revision. */
function contents({ store }: Database, revision: number) {
  return store.range({ key: '', end: null, revision }).map((version) => {
    const { value, lease, ...numbers } = readKeyValue(version.bytes);
    return { ...numbers, value: value.toString(), lease: lease.toString() };
  });
}

test('every readable revision reads the same after a restart on the cleaned log', async () => {
  const { database, log, cleaner, put, remove, compact, replayed } = setUp({ quotaBytes: 32_000 });
  for (let i = 0; i < 100; i++) await put(`k${i % 7}`, `value ${i}`);
  await put('deleted', 'x');
  await remove('deleted');
  await compact(90);
  await put('k1', 'later');
  await remove('k2');
  const before = log.size;
  await cleaner.run();
  assert.ok(log.size < before, `${log.size} of ${before} records`);
  assert.is([...log.keys()][0], database.cleanedTo);
  const again = replayed();
  assert.is(again.store.head, database.store.head);
  assert.is(again.store.compacted, 90);
  for (let revision = 90; revision <= database.store.head; revision++) {
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

function conflict(id: string): Conflict {
  const side = (node: string) => {
    return { node, deleted: false, value: Buffer.from(node), omittedBytes: 0, revision: 3, timeMs: 1 };
  };
  const rest = { policy: 'manual', winner: 'leader', routine: false, foundMs: 2 } as const;
  return { id, key: id, ...rest, leader: side('a'), follower: side('b') };
}

test('leases, epochs, merges and conflicts are stated again', async () => {
  const { database, cleaner, commit, put, compact, replayed } = setUp();
  const rest: Entry[] = [
    { kind: 'epoch', number: 1, id: 'e1', firstSequence: 1 },
    { kind: 'lease-grant', id: 7n, ttlSeconds: 60 },
    { kind: 'lease-grant', id: 8n, ttlSeconds: 60 },
    { kind: 'merged', overlay: 'o', position: 9 },
    { kind: 'conflict', conflict: conflict('open') },
    { kind: 'conflict', conflict: conflict('ended') },
    { kind: 'conflict-end', id: 'ended', how: 'dropped' },
    { kind: 'overlay', id: 'begun', baseSequence: 0 },
    { kind: 'judged', key: 'j', position: 7, revision: -1 },
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
  assert.equal([...again.conflicts], [conflict('open')]);
  assert.is(again.mergingOverlay, 'begun');
  assert.equal([...again.judged], [['j', { position: 7, revision: -1 }]]);
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
  const { database, log, cleaner, put, compact, replayed } = setUp({ quotaBytes: 64_000 });
  for (let round = 0; round < 50; round++) {
    for (let i = 0; i < 40; i++) await put(`k${i % 10}`, 'x'.repeat(100));
    await compact(database.store.head - 5);
    await cleaner.run();
    assert.ok(log.size < 200, `${log.size} records in round ${round}`);
  }
  assert.equal(contents(replayed(), database.store.head), contents(database, database.store.head));
});

test('a store that is 85 % full of live keys is updated for ever below its quota', async () => {
  const quotaBytes = 400_000;
  const value = 'x'.repeat(1_000);
  const keys = Math.floor((0.85 * quotaBytes) / 1_060);
  const { database, bytes, written, cleaner, put, compact, replayed } = setUp({ quotaBytes });
  for (let key = 0; key < keys; key++) await put(`k${key}`, value);
  const before = written();
  const rounds = 2_000;
  // All the rest is carried round for the sake of five keys: the worst case.
  for (let round = 0; round < rounds; round++) {
    await put(`k${round % 5}`, value);
    if (round % 5 === 4) await compact(database.store.head);
    await cleaner.run();
    assert.ok(bytes() < quotaBytes, `${bytes()} bytes in round ${round}`);
  }
  const amplification = (written() - before) / (rounds * 1_060);
  assert.ok(amplification < 9, `each byte was written ${amplification} times`);
  assert.equal(contents(replayed(), database.store.head), contents(database, database.store.head));
});

/** A change of one of a few keys, or a compaction; then perhaps cuts. */
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'delete', 'compact', 'lease', 'revoke'),
    key: fc.nat(5),
    back: fc.nat(6),
    bytes: fc.constantFrom(1, 30, 200),
    cuts: fc.constantFrom(0, 0, 1, 10),
  }),
  { minLength: 20, maxLength: 80 },
);

test('killed at any step of any cut, the log holds all that can be read, and leases', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(16, 6_400, 40_000), async (sequence, quotaBytes) => {
      let check = () => {};
      const setting = setUp({ quotaBytes, onStep: () => check() });
      const { database, log, cleaner, commit, put, remove, compact, replayed } = setting;
      const { store } = database;
      for (const { kind, key, back, bytes, cuts } of sequence) {
        const name = `k${key}`;
        if (kind === 'put') await put(name, 'x'.repeat(bytes), BigInt(key % 2));
        else if (kind === 'delete' && store.current(name)) await remove(name);
        else if (kind === 'compact') await compact(Math.max(store.compacted, store.head - back));
        else if (kind === 'lease') {
          database.leases.set(BigInt(key), 60);
          await commit.append([{ kind: 'lease-grant', id: BigInt(key), ttlSeconds: 60 }]);
        } else if (kind === 'revoke' && database.leases.delete(BigInt(key)))
          await commit.append([{ kind: 'lease-revoke', id: BigInt(key) }]);
        check = () => assertSame(replay(log), database);
        for (let i = 0; i < cuts; i++) await cleaner.cutOnce();
        check = () => undefined;
      }
      assertSame(replayed(), database);
    }),
    { numRuns: 40 },
  );
});

/** What a restart would serve is what is served: at each revision that can be read. */
function assertSame(again: Database, database: Database): void {
  assert.is(again.store.head, database.store.head);
  assert.is(again.store.compacted, database.store.compacted);
  assert.equal(new Map([...again.leases].sort()), new Map([...database.leases].sort()));
  for (let revision = Math.max(database.store.compacted, 1); revision <= database.store.head; revision++) {
    assert.equal(contents(again, revision), contents(database, revision), `at revision ${revision}`);
  }
}

test('who waits for room is not held while what was cleaned is not copied', async () => {
  const { cleaner, put, compact, setCopied, bytes } = setUp();
  for (let i = 0; i < 4; i++) await put('/a', 'x'.repeat(100));
  await compact(4);
  setCopied(false);
  const before = bytes();
  assert.is(await cleaner.makeRoom(), true);
  assert.ok(bytes() >= before, 'nothing is purged');
  setCopied(true);
  assert.is(await cleaner.makeRoom(), true);
  assert.ok(bytes() < before);
});

test.run();
