import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Reader, varintSize, WireError, Writer } from './wire.ts';

const test = suite('protobuf wire format');

test('numbers up to 2^53 and exact 64-bit ids are read as they were written', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), (number, id) => {
      const writer = new Writer(1);
      writer.varint(number);
      writer.int64Exact(id);
      const reader = new Reader(writer.finish());
      assert.is(reader.varint(), number);
      assert.is(reader.offset, varintSize(number));
      assert.is(reader.int64Exact(), id);
      assert.ok(reader.done);
    }),
  );
});

test('a negative int64 is read as the number it is', () => {
  const writer = new Writer();
  writer.int64(-2);
  assert.is(new Reader(writer.finish()).int64(), -2);
});

test('a nested part of any length has its length before it', () => {
  for (const length of [0, 1, 127, 128, 20_000]) {
    const writer = new Writer(1);
    writer.nested(() => writer.raw(Buffer.alloc(length, 1)));
    assert.is(new Reader(writer.finish()).bytes().length, length);
  }
});

test('what is cut off or too long is an error', () => {
  const cases = [Buffer.of(0x80), Buffer.of(5, 1), Buffer.alloc(11, 0xff)];
  for (const bytes of cases) {
    assert.throws(
      () => {
        const reader = new Reader(bytes);
        if (bytes.length === 2) reader.bytes();
        else reader.varint();
      },
      (error: Error) => error instanceof WireError,
    );
  }
});

test.run();
