import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSnapshot, SnapshotError, snapshotOf } from './snapshot.ts';
import { Database } from './store/database.ts';
import { readValue } from './store/key-value.ts';

const test = suite('snapshot');

function filled(keys: number): Database {
  const database = new Database();
  const { store } = database;
  const put = (key: string, value: string, lease = 0n) => {
    store.put(store.head + 1, key, Buffer.from(value), lease);
    store.show(store.head);
  };
  for (let i = 0; i < keys; i++) put(`key/${i}`, `${i}`.repeat(400));
  database.leases.set(5n, 60);
  put('key/1', 'anew', 5n);
  store.delete(store.head + 1, 'key/2');
  store.show(store.head);
  return database;
}

function standing({ store }: Database) {
  return store.range({ key: '', end: null, revision: store.visible }).map((version) => ({
    key: version.entry.key,
    createRevision: version.createRevision,
    modRevision: version.modRevision,
    version: version.version,
    lease: version.lease,
    value: readValue(version.bytes).toString(),
  }));
}

test('what is read back is what stood at its revision, whatever was written meanwhile', () => {
  const database = filled(2_000);
  const before = standing(database);
  const revision = database.store.visible;
  const parts: Buffer[] = [];
  for (const part of snapshotOf(database, 0)) {
    parts.push(Buffer.from(part));
    database.store.put(database.store.head + 1, `key/${parts.length}00`, Buffer.from('later'), 0n);
    database.store.show(database.store.head);
  }
  assert.ok(parts.length > 4);
  const read = readSnapshot(Buffer.concat(parts));
  assert.is(read.store.visible, revision);
  assert.is(read.store.compacted, revision);
  assert.equal(standing(read), before);
  assert.equal([...read.leases], [[5n, 60]]);
  assert.equal(read.store.leasedKeys(5n), ['key/1']);
});

test('its size is one that etcdctl takes for complete', () => {
  for (const keys of [3, 4, 50, 51]) {
    const bytes = Buffer.concat([...snapshotOf(filled(keys), 0)]);
    assert.is(bytes.length % 512, 32);
  }
});

test('one that is cut off or changed is refused', () => {
  const bytes = Buffer.concat([...snapshotOf(filled(10), 0)]);
  const changed = Buffer.from(bytes);
  changed.writeUInt8((changed[100] ?? 0) ^ 1, 100);
  for (const wrong of [bytes.subarray(0, -512), changed, Buffer.from('nothing of the kind')])
    assert.throws(
      () => readSnapshot(wrong),
      (error: Error) => error instanceof SnapshotError,
    );
});

test('a compaction meanwhile breaks it off', () => {
  const database = filled(5_000);
  const parts = snapshotOf(database, 0);
  parts.next();
  database.store.put(database.store.head + 1, 'more', Buffer.from('x'), 0n);
  database.store.show(database.store.head);
  database.store.compact(database.store.visible);
  assert.throws(() => [...parts], /compacted meanwhile/);
});

test.run();
