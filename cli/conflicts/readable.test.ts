import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareLines, readableLines } from './readable.ts';

test('JSON is indented, text is shown as it is', () => {
  assert.equal(readableLines(Buffer.from('{"a":1}')), ['{', '  "a": 1', '}']);
  assert.equal(readableLines(Buffer.from('one\ntwo')), ['one', 'two']);
  assert.equal(readableLines(Buffer.from('{no json')), ['{no json']);
});

test('of a binary value the printable runs are shown', () => {
  const value = Buffer.concat([
    Buffer.from('k8s\0\x0a\x02v1'),
    Buffer.from([0xff, 0]),
    Buffer.from('nginx:1.27\x12'),
  ]);
  assert.equal(readableLines(value), ['nginx:1.27']);
});

test('only what differs is shown, also where a line stands twice', () => {
  assert.equal(compareLines(['a', 'b', 'b'], ['b', 'c']), ['  = a', '  = b', '  ~ c']);
  assert.equal(compareLines(['same'], ['same']), []);
});

test.run();
