import { status as theirs } from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeStatusMessage, status } from './status.ts';

const test = suite('gRPC status');

test('the codes are those of grpc-js', () => {
  for (const [name, code] of Object.entries(status)) assert.is(theirs[code], name);
});

test('a text is readable and comes back', () => {
  assert.is(encodeStatusMessage('etcdserver: no leader'), 'etcdserver: no leader');
  assert.is(encodeStatusMessage('100 %\n'), '100 %25%0A');
  assert.is(encodeStatusMessage('k\u00e4se \u{1f9c0}'), 'k%C3%A4se %F0%9F%A7%80');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 50 }), (text) => {
      const encoded = encodeStatusMessage(text);
      assert.match(encoded, /^[ -~]*$/);
      assert.is(decodeURIComponent(encoded), text);
    }),
  );
});

test('a long text is cut between characters', () => {
  const encoded = encodeStatusMessage(`x${'\u00e4'.repeat(5_000)}`);
  assert.is(encoded, `x${'%C3%A4'.repeat(682)}`);
});

test.run();
