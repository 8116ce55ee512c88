import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type RangeRequest, rangeRequest } from '../etcd/messages.ts';
import { readValue } from '../store/key-value.ts';
import { Store } from '../store/store.ts';
import { range } from './range.ts';

const test = suite('range');

const request = (part: Partial<RangeRequest>): RangeRequest => ({
  ...rangeRequest.decode(Buffer.alloc(0)),
  ...part,
});

function write(store: Store, key: string, value: string | null): void {
  if (value === null) store.delete(store.head + 1, key);
  else store.put(store.head + 1, key, Buffer.from(value), 0n);
  store.show(store.head);
}

function keysOf(store: Store, part: Partial<RangeRequest>): string[] {
  return range(store, request(part), store.visible).versions.map((version) => version.entry.key);
}

test('a key, a range, everything from a key on', () => {
  const store = new Store();
  for (const key of ['a', 'a1', 'b', 'c\xff']) write(store, key, key);
  assert.equal(keysOf(store, { key: 'a' }), ['a']);
  assert.equal(keysOf(store, { key: 'a', rangeEnd: 'b' }), ['a', 'a1']);
  assert.equal(keysOf(store, { key: 'b', rangeEnd: '\0' }), ['b', 'c\xff']);
  assert.equal(keysOf(store, { key: 'b', rangeEnd: 'a' }), []);
});

test('limit tells that there is more, and count what there is', () => {
  const store = new Store();
  for (const key of ['a', 'b', 'c']) write(store, key, 'v');
  const two = range(store, request({ key: 'a', rangeEnd: 'z', limit: 2 }), store.visible);
  assert.is(two.versions.length, 2);
  assert.ok(two.more);
  assert.is(two.count, 3);
  const three = range(store, request({ key: 'a', rangeEnd: 'z', limit: 3 }), store.visible);
  assert.not(three.more);
});

test('revisions that are compacted or to come are refused with etcd’s texts', () => {
  const store = new Store();
  for (const value of ['1', '2', '3']) write(store, 'a', value);
  store.compact(3);
  const at = (revision: number) => () => range(store, request({ key: 'a', revision }), store.visible);
  assert.throws(at(2), /^etcdserver: mvcc: required revision has been compacted$/);
  assert.throws(at(5), /^etcdserver: mvcc: required revision is a future revision$/);
  assert.is(at(3)().versions.length, 1);
});

/** What a plain model of the history says that a range holds. */
function modelRange(history: [string, string | null][], revision: number, key: string, end: string) {
  const live = new Map<string, string>();
  for (const [i, [name, value]] of history.entries()) {
    if (i + 2 > revision) break;
    if (value === null) live.delete(name);
    else live.set(name, value);
  }
  return [...live].filter(([name]) => name >= key && name < end).sort(([a], [b]) => (a < b ? -1 : 1));
}

test('any range at any revision is what a plain model says', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
  const change = fc.tuple(key, fc.option(fc.constantFrom('x', 'y', 'z'), { nil: null }));
  const query = fc.record({ key, end: key, revision: fc.nat(40), limit: fc.nat(4) });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 40 }),
      query,
      (changes, { key: start, end, revision, limit }) => {
        const store = new Store();
        const history: [string, string | null][] = [];
        for (const [name, value] of changes) {
          // A deletion of nothing is no change.
          if (value === null && !store.current(name)) continue;
          write(store, name, value);
          history.push([name, value]);
        }
        const at = Math.min(revision, store.visible);
        const expected = modelRange(history, at || store.visible, start, end);
        const asked = request({ key: start, rangeEnd: end, revision: at, limit });
        const found = range(store, asked, store.visible);
        const shown = limit > 0 ? expected.slice(0, limit) : expected;
        assert.equal(
          found.versions.map((version) => [version.entry.key, readValue(version.bytes).toString()]),
          shown,
        );
        assert.is(found.count, expected.length);
        assert.is(found.more, shown.length < expected.length);
        assert.is(range(store, { ...asked, countOnly: true }, store.visible).count, expected.length);
      },
    ),
  );
});

test.run();
