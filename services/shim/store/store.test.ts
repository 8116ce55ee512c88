import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readKeyValue } from './key-value.ts';
import { Store } from './store.ts';

const test = suite('store');
const value = (text: string) => Buffer.from(text);

function put(store: Store, key: string, text: string, lease = 0n) {
  return store.put(store.head + 1, key, value(text), lease);
}

function read(store: Store, key: string, revision = store.head) {
  const [version] = store.range({ key, end: undefined, revision });
  return version ? readKeyValue(version.bytes) : undefined;
}

test('a new store is at revision 1', () => {
  const store = new Store();
  assert.is(store.head, 1);
  assert.is(store.visible, 1);
});

test('put, update and delete count as etcd counts', () => {
  const store = new Store();
  put(store, 'k', 'a');
  put(store, 'k', 'b', 7n);
  const kv = read(store, 'k');
  assert.is(kv?.createRevision, 2);
  assert.is(kv?.modRevision, 3);
  assert.is(kv?.version, 2);
  assert.is(kv?.lease, 7n);
  assert.is(kv?.value.toString(), 'b');
  store.delete(4, 'k');
  assert.is(read(store, 'k'), undefined);
  assert.is(read(store, 'k', 2)?.value.toString(), 'a');
  put(store, 'k', 'c');
  assert.is(read(store, 'k')?.createRevision, 5);
  assert.is(read(store, 'k')?.version, 1);
});

test('rollback takes back values, life, leases and the head', () => {
  const store = new Store();
  put(store, 'kept', 'a', 7n);
  store.show(2);
  put(store, 'kept', 'b', 8n);
  put(store, 'new', 'x');
  store.delete(store.head + 1, 'kept');
  store.rollback(2);
  assert.is(store.head, 2);
  assert.is(read(store, 'kept')?.value.toString(), 'a');
  assert.is(read(store, 'new'), undefined);
  assert.equal(store.leasedKeys(7n), ['kept']);
  assert.equal(store.leasedKeys(8n), []);
  assert.is(store.count({ key: '', end: null, revision: 2 }), 1);
});

test('compaction keeps what stands at the compact revision and drops what ended before', () => {
  const store = new Store();
  put(store, 'a', '1');
  put(store, 'a', '2');
  put(store, 'gone', 'x');
  store.delete(5, 'gone');
  put(store, 'a', '3');
  store.show(store.head);
  store.compact(5);
  while (store.sweep(1));
  assert.is(read(store, 'a', 5)?.value.toString(), '2');
  assert.is(read(store, 'a', 6)?.value.toString(), '3');
  store.compact(6);
  while (store.sweep(1));
  assert.is(store.size.keys, 1);
});

test('what readers see stays, though it is compacted on the node that wrote it', () => {
  const store = new Store();
  put(store, 'a', '1');
  store.show(store.head);
  put(store, 'a', '2');
  store.compact(3);
  while (store.sweep(1));
  assert.is(read(store, 'a', 2)?.value.toString(), '1');
  store.show(3);
  while (store.sweep(1));
  assert.is(store.size.versions, 1);
});

test('sweeping a key that is gone takes no neighbour with it', () => {
  const store = new Store();
  put(store, 'gone', 'x');
  store.delete(3, 'gone');
  put(store, 'neighbour', 'y');
  put(store, 'other', 'z');
  store.show(store.head);
  store.compact(5);
  while (store.sweep(10));
  assert.is(read(store, 'neighbour')?.value.toString(), 'y');
  assert.is(store.range({ key: '', end: null, revision: 5 }).length, 2);
});

test('a jump shown makes everything before it compacted', () => {
  const store = new Store();
  put(store, 'a', '1');
  store.show(2);
  store.jump(2 ** 32);
  assert.is(store.compacted, 0);
  store.show(store.head);
  assert.is(store.visible, 2 ** 32);
  assert.is(store.compacted, 2 ** 32);
  assert.is(read(store, 'a')?.value.toString(), '1');
});

type Step = { kind: 'put' | 'delete'; key: string; lease: number } | { kind: 'compact'; back: number };

const keys = fc.constantFrom('a', 'b', 'b/1', 'b/2', 'c', '\u00ff', '');
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constantFrom('put' as const, 'delete' as const),
        key: keys,
        lease: fc.nat(2),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('compact' as const), back: fc.nat(5) }) },
  ),
  { maxLength: 60 },
);

test('every range and count at every revision is what a list of all states says', () => {
  fc.assert(
    fc.property(steps, keys, fc.option(keys), (sequence, start, end) => {
      const store = new Store();
      const states = new Map<number, Map<string, number>>([[1, new Map()]]);
      for (const step of sequence) {
        const now = new Map(states.get(store.head));
        if (step.kind === 'compact') {
          store.show(store.head);
          store.compact(Math.max(1, store.head - step.back));
          while (store.sweep(3));
        } else if (step.kind === 'put') {
          put(store, step.key, `${store.head + 1}`, BigInt(step.lease));
          now.set(step.key, store.head);
          states.set(store.head, now);
        } else if (now.has(step.key)) {
          store.delete(store.head + 1, step.key);
          now.delete(step.key);
          states.set(store.head, now);
        }
      }
      for (const [revision, state] of states) {
        if (revision < store.compacted) continue;
        const query = { key: start, end, revision };
        const expected = [...state]
          .filter(([key]) => key >= start && (end === null || key < end))
          .sort((a, b) => (a[0] < b[0] ? -1 : 1));
        assert.equal(
          store.range(query).map((version) => [version.entry.key, version.modRevision]),
          expected,
        );
        assert.is(store.count(query), expected.length);
      }
    }),
    { numRuns: 1_000 },
  );
});

test('what an overlay ended of the log below stays ended, and is told apart in size', () => {
  const below = () => {
    const store = new Store();
    for (const key of ['a', 'b']) store.put(store.head + 1, key, Buffer.from('below'), 0n);
    store.show(store.head);
    store.standOnThis();
    return store;
  };
  const store = below();
  assert.equal(store.ownSize, { bytes: 0, versions: 0 });
  assert.is(store.endOfBelow('a'), 0);
  store.jump(100);
  store.delete(101, 'a');
  store.put(102, 'a', Buffer.from('own'), 0n);
  assert.is(store.endOfBelow('a'), 101);
  store.show(102);
  store.compact(102);
  while (store.sweep(10));
  // The version below is freed by now: any revision that is older than all of the overlay says as much.
  assert.ok(store.endOfBelow('a') > 3 && store.endOfBelow('a') < 100);
  assert.is(store.ownSize.versions, 1);
  assert.is(store.size.versions, 2);
  for (const end of [101, store.endOfBelow('a')]) {
    const again = below();
    again.endBelow('a', end);
    again.advance(101);
    assert.is(again.current('a'), undefined);
    assert.is(again.count({ key: 'a', end: null, revision: 101 }), 1);
    assert.equal(again.range({ key: 'a', end: undefined, revision: 3 }).length, 1);
  }
});

test.run();
