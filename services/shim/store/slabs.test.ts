import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readValue } from './key-value.ts';
import { slabBytes } from './slabs.ts';
import { Store } from './store.ts';

const test = suite('slabs');

test('old values among many short-lived ones keep no slabs for themselves', () => {
  const store = new Store();
  const put = (key: string, value: string) => store.put(store.head + 1, key, Buffer.from(value), 0n);
  const old = 200;
  const slabs = new Set<unknown>();
  let seen: Buffer | undefined;
  for (let i = 0; i < old; i++) {
    const { bytes } = put(`old/${i}`, `${i}`);
    // Whoever has a view from before a value is moved can go on reading it.
    seen ??= bytes;
    // About a slab of short-lived values for each of them.
    for (let j = 0; j < 64; j++) put('hot', 'x'.repeat(slabBytes / 64));
    store.show(store.head);
    store.compact(store.head);
    while (store.sweep(100));
  }
  for (let i = 0; i < old; i++) {
    const version = store.current(`old/${i}`);
    assert.is(version && readValue(version.bytes).toString(), `${i}`);
    slabs.add(version?.slab);
  }
  assert.ok(slabs.size <= 20, `${slabs.size} slabs`);
  assert.is(seen && readValue(seen).toString(), '0');
});

test.run();
