import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { chainOf, decodeRecord, type Entry, encodeRecord, formatVersion, RecordError } from './record.ts';

const test = suite('log record');
const bytes = (text: string) => Buffer.from(text);

const entries: Entry[] = [
  { kind: 'revision', revision: 2 ** 40, cause: 'merge', changes: [bytes('one'), bytes('two')] },
  { kind: 'lease-grant', id: 2n ** 62n, ttlSeconds: 3600 },
  { kind: 'lease-revoke', id: -1n },
  { kind: 'compact', revision: 7 },
  { kind: 'epoch', number: 3, id: 'abc', firstSequence: 12 },
  { kind: 'jump', revision: 2 ** 33 },
  { kind: 'overlay', id: 'def', baseSequence: 4 },
  { kind: 'merged', overlay: 'def', position: 2 ** 32 + 9 },
  { kind: 'version', version: bytes('kv'), end: 9 },
  { kind: 'cleaned', sequence: 77 },
  {
    kind: 'conflict',
    conflict: {
      id: '0a1b2c3d4e',
      key: '/k\u00ff',
      policy: 'newest-wins',
      winner: 'follower',
      routine: true,
      foundMs: 1.7e12,
      leader: { node: 'a', deleted: true, value: bytes(''), omittedBytes: 0, revision: 0, timeMs: 0 },
      follower: {
        node: 'b',
        deleted: false,
        value: bytes('x'),
        omittedBytes: 9,
        revision: 2 ** 33 + 1,
        timeMs: 1.7e12,
      },
    },
  },
  { kind: 'judged', key: '/k\u00ff', position: 2 ** 33 + 1, revision: -1 },
  {
    kind: 'touched',
    key: '/k\u00ff',
    base: 7,
    ended: 2 ** 32 + 1,
    revision: 2 ** 32 + 2,
    lease: -1n,
    cause: 'lease-expiry',
    timeMs: 1.7e12,
  },
  { kind: 'conflict-end', id: '0a1b2c3d4e', how: 'evicted' },
];
const record = {
  previousChain: 0,
  epoch: 3,
  firstRevision: 1,
  lastRevision: 2 ** 40,
  timeMs: 1.7e12,
  entries,
};

test('every kind of entry is read as it was written', () => {
  const { chain, ...rest } = decodeRecord(encodeRecord(record), 0);
  assert.equal(rest, record);
  assert.ok(chain > 0);
});

test('one changed bit anywhere is found', () => {
  const encoded = encodeRecord(record);
  fc.assert(
    fc.property(fc.nat(encoded.length - 1), fc.nat(7), (at, bit) => {
      const changed = Buffer.from(encoded);
      changed[at] = (changed[at] as number) ^ (1 << bit);
      assert.throws(
        () => decodeRecord(changed, 0),
        (error: Error) => error instanceof RecordError,
      );
    }),
  );
});

test('a torn record is found at every length', () => {
  const encoded = encodeRecord(record);
  for (let length = 0; length < encoded.length; length++) {
    assert.throws(
      () => decodeRecord(encoded.subarray(0, length), 0),
      (error: Error) => error instanceof RecordError,
    );
  }
});

test('a record that does not follow the one before is found', () => {
  const first = encodeRecord(record);
  const second = encodeRecord({ ...record, previousChain: chainOf(first) });
  decodeRecord(second, chainOf(first));
  assert.throws(() => decodeRecord(second, 1), /does not follow/);
});

test('the chain depends on the record before', () => {
  assert.is.not(chainOf(encodeRecord(record)), chainOf(encodeRecord({ ...record, previousChain: 1 })));
});

test('a newer format is named', () => {
  const newer = encodeRecord(record);
  newer[2] = formatVersion + 1;
  assert.throws(() => decodeRecord(newer, 0), /it has format 2, this twonode reads format 1/);
});

test.run();
