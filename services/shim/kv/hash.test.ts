import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readKeyValue } from '../store/key-value.ts';
import { Store } from '../store/store.ts';
import { hashKeyValues } from './hash.ts';

const test = suite('hash of keys and values');

function filled(): Store {
  const store = new Store();
  for (let i = 0; i < 100; i++) store.put(store.head + 1, `k${i % 30}`, Buffer.from(`v${i}`), 0n);
  for (let i = 0; i < 30; i += 3) store.delete(store.head + 1, `k${i}`);
  store.show(store.head);
  return store;
}

test('a node that read cleaned records has the same hash as the one that wrote them', () => {
  const writer = filled();
  const compacted = 70;
  writer.compact(compacted);
  while (writer.sweep(10)) {
    // All of it.
  }
  const reader = new Store();
  // First what came after the compaction, then what is stated again: in another order than it was written.
  for (const { entry, bytes } of writer.changes(compacted, writer.head)) {
    const kv = readKeyValue(bytes);
    reader.insert(entry.key, kv, kv.value);
  }
  reader.compact(compacted);
  for (const { version, end } of writer.standing(compacted, null, 1_000_000).found) {
    const kv = readKeyValue(version.bytes);
    reader.restate(version.entry.key, kv, kv.value, end, 0);
  }
  reader.show(reader.head);
  assert.equal(hashKeyValues(reader, 0), hashKeyValues(writer, 0));
  assert.equal(hashKeyValues(reader, 80), hashKeyValues(writer, 80));
  assert.is.not(hashKeyValues(writer, 80).hash, hashKeyValues(writer, 81).hash);
});

test('sweeping what is compacted changes nothing', () => {
  const store = filled();
  store.compact(70);
  const before = hashKeyValues(store, 0);
  while (store.sweep(10)) {
    // All of it.
  }
  assert.equal(hashKeyValues(store, 0), before);
});

test.run();
