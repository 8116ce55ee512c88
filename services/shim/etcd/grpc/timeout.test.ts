import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseTimeout } from './timeout.ts';

const test = suite('grpc-timeout');

for (const [text, timeoutMs] of [
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['3S', 3_000],
  ['40m', 40],
  ['50000u', 50],
  ['1u', 1],
  ['1n', 1],
  ['0S', 0],
  ['99999999H', 2 ** 31 - 1],
] as const) {
  test(`${text} is ${timeoutMs} ms`, () => assert.is(parseTimeout(text), timeoutMs));
}

for (const text of ['', 'S', '1', '1s', '-1S', '1.5S', '123456789S', ' 1S', '1S '])
  test(`"${text}" is malformed`, () => assert.is(parseTimeout(text), null));

test.run();
