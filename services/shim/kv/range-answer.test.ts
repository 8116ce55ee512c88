import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Writer } from '../protobuf/wire.ts';
import { Store } from '../store/store.ts';
import { pieceBytes, rangeAnswer } from './range-answer.ts';
import { type RangeResult, writeRangeResponse } from './responses.ts';

const test = suite('range answer');

const header = { identity: Buffer.from([0x08, 7]), revision: 42 };

/** A store with values of these sizes, and what a list of all of it finds. */
function listOf(sizes: readonly number[]): { store: Store; result: RangeResult } {
  const store = new Store();
  for (const [i, size] of sizes.entries()) store.put(store.head + 1, `key-${i}`, Buffer.alloc(size, i), 0n);
  store.show(store.head);
  const versions = store.range({ key: 'key', end: null, revision: store.head });
  return { store, result: { revision: store.head, versions, more: true, count: versions.length + 1 } };
}

/** The same answer at once. */
function atOnce(result: RangeResult, keysOnly: boolean): Buffer {
  const writer = new Writer();
  writeRangeResponse(writer, header, result, keysOnly);
  return Buffer.from(writer.finish());
}

for (const [name, sizes] of [
  ['small values', Array<number>(2_000).fill(300)],
  ['values of all lengths of a length', [0, 1, 100, 127, 128, 16_000, 16_500, pieceBytes, 3 * pieceBytes, 1]],
  ['one value', [2 * pieceBytes]],
] as const) {
  test(`in pieces it is the same message: ${name}`, () => {
    const { result } = listOf(sizes);
    const answer = rangeAnswer(header, result, false);
    assert.not.instance(answer, Uint8Array);
    const whole = Buffer.concat([...(answer as Exclude<typeof answer, Uint8Array>).pieces]);
    assert.ok(whole.equals(atOnce(result, false)));
    assert.is(answer.length, whole.length);
  });
}

test('a piece is not much larger than it should be', () => {
  const answer = rangeAnswer(header, listOf(Array<number>(1_000).fill(1_024)).result, false);
  for (const piece of (answer as Exclude<typeof answer, Uint8Array>).pieces)
    assert.ok(piece.length <= pieceBytes + 1_100, `${piece.length} bytes`);
});

test('a small one, and one of keys only, is one message at once', () => {
  const { result } = listOf([0, 1, 1_000]);
  assert.equal(rangeAnswer(header, result, false), atOnce(result, false));
  const { result: large } = listOf(Array<number>(200).fill(1_024));
  assert.equal(rangeAnswer(header, large, true), atOnce(large, true));
});

test('what becomes of the keys meanwhile changes nothing', () => {
  const { store, result } = listOf(Array<number>(1_000).fill(1_024));
  const expected = atOnce(result, false);
  const { pieces } = rangeAnswer(header, result, false) as { pieces: Iterable<Uint8Array> };
  const taken: Uint8Array[] = [];
  for (const piece of pieces) {
    taken.push(piece);
    // All is written anew, and its history is freed.
    for (let i = 0; i < 1_000; i += 7) store.put(store.head + 1, `key-${i}`, Buffer.alloc(1_024, 0xff), 0n);
    store.show(store.head);
    store.compact(store.head);
    while (store.sweep(10_000));
  }
  assert.ok(Buffer.concat(taken).equals(expected));
});

test.run();
