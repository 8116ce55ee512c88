import fc from 'fast-check';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { LogCleaner } from '../log/cleaner.ts';
import { GroupCommit } from '../log/group-commit.ts';
import { type Cause, decodeRecord, type Entry } from '../log/record.ts';
import { RecordIndex } from '../log/record-index.ts';
import { Database } from '../store/database.ts';
import { readKeyValue } from '../store/key-value.ts';
import { bandSize } from '../store/revision-band.ts';
import type { Version } from '../store/version.ts';
import { mergeEntries, restOfOverlay, TouchedKeys, touch, touchReplayed } from './overlay.ts';

const test = suite('cleaning of an overlay');
const logger = pino({ level: 'silent' });
const mirroredKeys = 4;

/** What the mirror holds below the overlay: every other key is leased. */
function mirror(): Database {
  const database = new Database();
  const { store } = database;
  for (const id of [1n, 2n]) database.leases.set(id, 60);
  for (let key = 0; key < mirroredKeys; key++)
    store.put(store.head + 1, `k${key}`, Buffer.from('mirrored'), 0n);
  store.put(store.head + 1, 'leased', Buffer.from('mirrored'), 1n);
  database.alarms.raise({ memberId: 1n, type: 'NOSPACE' });
  // As on a mirror that was cleaned: it says nothing of where the overlay's log has this version.
  for (const { entry } of store.changes(0, store.head)) (entry.newest as Version).statedAt = 1;
  store.show(store.head);
  database.standOnThis();
  return database;
}

/** What a restart makes of an overlay. */
function replay(log: ReadonlyMap<number, Buffer>) {
  const database = mirror();
  const touched = new TouchedKeys();
  const records = new RecordIndex();
  const position = { sequence: 0, chain: 0 };
  for (const [sequence, bytes] of log) {
    const record = decodeRecord(bytes, undefined);
    touchReplayed(database, record, touched);
    database.apply(record, sequence);
    records.add(sequence, record.lastRevision, bytes.length);
    Object.assign(position, { sequence, chain: record.chain });
  }
  database.store.show(database.store.head);
  while (database.store.sweep(10));
  return { database, touched, records, position };
}

interface Setting {
  /** What is on disk. */
  log?: Map<number, Buffer>;
  /** Called after each step that changes the log: what a kill leaves behind. */
  onStep?: () => void;
  quotaBytes?: number;
}

/** An overlay in memory, with its writer and its cleaner. */
function setUp({ log = new Map(), onStep = () => undefined, quotaBytes = 16 }: Setting = {}) {
  const { database, touched, records, position } = replay(log);
  const { store } = database;
  const cleaned = { cleanedTo: database.cleanedTo };
  let timeMs = position.sequence;
  const commit = new GroupCommit({
    store,
    position,
    epoch: 1,
    heading: [{ kind: 'overlay', id: 'o', baseSequence: 3 }],
    publish: async (record, last) => {
      log.set(last + 1, record);
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
    now: () => timeMs,
    logger,
  });
  const cleaner = new LogCleaner({
    database,
    cleaned,
    rest: restOfOverlay(database, touched),
    commit,
    records,
    bytes: async () => [...log.values()].reduce((sum, record) => sum + record.length, 0),
    purge: async (sequence) => {
      for (const known of [...log.keys()]) if (known < sequence) log.delete(known);
      onStep();
    },
    isCopied: () => true,
    quotaBytes,
    logger,
  });
  const change = async (version: Version, cause: Cause = 'client') => {
    timeMs++;
    const { modRevision, lease, bytes } = version;
    const what = { key: version.entry.key, modRevision, version: version.version, lease };
    touch(touched, what, store.previous(version), { cause, timeMs });
    await commit.append([{ kind: 'revision', revision: modRevision, cause, changes: [bytes] }]);
  };
  const append = (...entries: Entry[]) => commit.append(entries);
  return {
    database,
    touched,
    log,
    cleaner,
    commit,
    append,
    begin: async () => {
      store.jump(bandSize);
      await append({ kind: 'jump', revision: bandSize });
      while (store.sweep(10));
    },
    put: (key: string, value: string, lease = 0n) =>
      change(store.put(store.head + 1, key, Buffer.from(value), lease)),
    remove: (key: string, cause?: Cause) => change(store.delete(store.head + 1, key), cause),
    compact: async (revision: number) => {
      await append({ kind: 'compact', revision });
      store.compact(revision);
      while (store.sweep(10));
    },
  };
}

/** Everything that a reader can see at a revision. */
function contents({ store }: Database, revision: number) {
  return store.range({ key: '', end: null, revision }).map((version) => {
    const { value, lease, ...numbers } = readKeyValue(version.bytes);
    return { ...numbers, value: value.toString(), lease: lease.toString() };
  });
}

/** What a restart serves and merges is what is served and would be merged. */
function assertSame(log: ReadonlyMap<number, Buffer>, database: Database, touched: TouchedKeys): void {
  const again = replay(log);
  const { store } = database;
  assert.is(again.database.store.head, store.head);
  assert.is(again.database.store.compacted, store.compacted);
  assert.equal(new Map([...again.database.leases].sort()), new Map([...database.leases].sort()));
  const members = (of: Database) =>
    of.alarms
      .raised()
      .map(({ memberId }) => memberId)
      .sort();
  assert.equal(members(again.database), members(database));
  for (let revision = store.compacted; revision <= store.head; revision++)
    assert.equal(contents(again.database, revision), contents(database, revision), `at revision ${revision}`);
  const byKey = (keys: TouchedKeys) => new Map([...keys].sort(([left], [right]) => (left < right ? -1 : 1)));
  assert.equal(byKey(again.touched), byKey(touched));
  const merge = (of: Database, keys: TouchedKeys) =>
    mergeEntries(of.store, keys).sort((left, right) => (left.key < right.key ? -1 : 1));
  assert.equal(merge(again.database, again.touched), merge(database, touched));
  for (const bytes of log.values()) assert.is(decodeRecord(bytes, undefined).entries[0]?.kind, 'overlay');
}

const kinds = [
  'put',
  'put',
  'put',
  'delete',
  'expire',
  'compact',
  'lease',
  'revoke',
  'alarm',
  'restart',
] as const;
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom(...kinds),
    key: fc.nat(mirroredKeys + 2),
    back: fc.nat(6),
    bytes: fc.constantFrom(1, 30, 200),
    cuts: fc.constantFrom(0, 0, 1, 10),
  }),
  { minLength: 20, maxLength: 80 },
);

test('killed at any step of any cut, it serves and merges all that was written alone', async () => {
  let purged = 0;
  await fc.assert(
    fc.asyncProperty(steps, fc.constantFrom(16, 6_400), async (sequence, quotaBytes) => {
      let check = () => {};
      const log = new Map<number, Buffer>();
      let overlay = setUp({ log, onStep: () => check(), quotaBytes });
      await overlay.begin();
      for (const { kind, key, back, bytes, cuts } of sequence) {
        if (kind === 'restart') overlay = setUp({ log, onStep: () => check(), quotaBytes });
        const { database, touched, cleaner, append, put, remove, compact } = overlay;
        const { store, leases, alarms } = database;
        const name = key === 0 ? 'leased' : `k${key}`;
        const alarm = { memberId: BigInt(key % 2), type: 'NOSPACE' } as const;
        if (kind === 'put') await put(name, 'x'.repeat(bytes), key % 3 === 0 ? 1n : 0n);
        else if (kind === 'delete' && store.current(name)) await remove(name);
        else if (kind === 'expire' && store.current(name)?.lease) await remove(name, 'lease-expiry');
        else if (kind === 'compact') await compact(Math.max(store.compacted, store.head - back));
        else if (kind === 'lease') {
          leases.set(BigInt(key), 30);
          await append({ kind: 'lease-grant', id: BigInt(key), ttlSeconds: 30 });
        } else if (kind === 'revoke' && leases.delete(BigInt(key)))
          await append({ kind: 'lease-revoke', id: BigInt(key) });
        else if (kind === 'alarm') {
          const raised = back % 2 === 0;
          if (raised ? alarms.raise(alarm) : alarms.disarm(alarm))
            await append({ kind: 'alarm', ...alarm, raised });
        }
        check = () => assertSame(log, database, touched);
        for (let i = 0; i < cuts; i++) if (await cleaner.cutOnce()) purged++;
        check = () => undefined;
      }
      assertSame(log, overlay.database, overlay.touched);
    }),
    { numRuns: 40 },
  );
  assert.ok(purged > 100, `only ${purged} cuts`);
});

test('what the mirror holds is not stated again', async () => {
  const { cleaner, begin, put, compact, database, log } = setUp();
  await begin();
  await put('k2', 'x');
  for (let i = 0; i < 40; i++) await put('k1', `${i}`);
  await compact(database.store.head);
  await cleaner.run();
  const stated = [...log.values()].flatMap((bytes) =>
    decodeRecord(bytes, undefined).entries.flatMap((entry) =>
      entry.kind === 'version' ? [readKeyValue(Buffer.from(entry.version)).key] : [],
    ),
  );
  assert.equal([...new Set(stated)], ['k2']);
  assert.is(database.store.ownSize.versions, 2);
});

test('a cleaner that was stopped writes nothing more', async () => {
  const { cleaner, commit, begin, put, compact, database } = setUp();
  await begin();
  for (let i = 0; i < 40; i++) await put('k1', `${i}`);
  await compact(database.store.head);
  const running = cleaner.run().then(
    () => 'done',
    (error: Error) => error.name,
  );
  await cleaner.stop();
  const { sequence } = commit.position;
  assert.is(await running, 'FencedError');
  const refused = await cleaner.makeRoom().then(
    () => 'made',
    (error: Error) => error.name,
  );
  assert.is(refused, 'FencedError');
  assert.is(commit.position.sequence, sequence);
});

test.run();
