import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KeyIndex } from './key-index.ts';
import { Store } from './store.ts';
import { KeyEntry } from './version.ts';

const test = suite('key index');

function keysOf(index: KeyIndex, start: string, end: string | undefined): string[] {
  const keys: string[] = [];
  index.walk(start, end, (entry) => keys.push(entry.key) > 0);
  return keys;
}

test('keys come in order across chunks that were split', () => {
  const index = new KeyIndex();
  const keys = Array.from({ length: 5_000 }, (_, i) => `key-${(i * 7919) % 5_000}`);
  for (const key of keys) index.insert(new KeyEntry(key));
  assert.equal(keysOf(index, '', undefined), [...keys].sort());
  for (const key of keys.slice(0, 4_990)) index.remove(index.get(key) as KeyEntry);
  assert.equal(keysOf(index, '', undefined), keys.slice(4_990).sort());
});

test('a walk begins and ends where it should, and can be left', () => {
  const index = new KeyIndex();
  const keys = Array.from({ length: 2_000 }, (_, i) => `key-${String(i).padStart(5, '0')}`);
  for (const key of keys) index.insert(new KeyEntry(key));
  for (const [from, to] of [
    [0, 2_000],
    [0, 0],
    [255, 257],
    [300, 1_999],
    [1_999, 2_000],
  ] as const) {
    assert.equal(keysOf(index, keys[from] ?? '', keys[to] ?? 'z'), keys.slice(from, to));
  }
  let visits = 0;
  index.walk('', undefined, () => ++visits < 700);
  assert.is(visits, 700);
});

test('counting walks chunks, and is right at their edges', () => {
  const store = new Store();
  const key = (i: number) => `key-${String(i).padStart(5, '0')}`;
  for (let i = 0; i < 3_000; i++) store.put(store.head + 1, key(i), Buffer.alloc(0), 0n);
  for (let i = 0; i < 3_000; i += 3) store.delete(store.head + 1, key(i));
  const count = (from: number, to: number) =>
    store.count({ key: key(from), end: key(to), revision: store.head });
  assert.is(count(0, 3_000), 2_000);
  assert.is(count(1, 2), 1);
  assert.is(count(511, 513), 2);
  assert.is(count(100, 2_500), 1_600);
  assert.is(count(2_999, 5_000), 1);
});

test.run();
