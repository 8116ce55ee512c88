import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EtcdError } from '../errors.ts';
import { frame, framePrefix, MessageReader } from './framing.ts';
import { status } from './status.ts';

const test = suite('gRPC framing');
const maxBytes = 1_000;

test('messages come back however they are cut into chunks', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 });
  const cuts = fc.array(fc.nat(600), { maxLength: 12 });
  fc.assert(
    fc.property(messages, cuts, (sent, places) => {
      const wire = Buffer.concat(sent.map(frame));
      const borders = [0, ...places.filter((at) => at < wire.length).sort((a, b) => a - b), wire.length];
      const reader = new MessageReader(maxBytes);
      const received = borders.slice(1).flatMap((end, i) => reader.push(wire.subarray(borders[i], end)));
      assert.equal(
        received.map((message) => [...message]),
        sent.map((message) => [...message]),
      );
      assert.is(reader.isCut, false);
    }),
  );
});

test('a message that is not whole is known to be cut', () => {
  const wire = frame(Buffer.from('abc'));
  for (let length = 1; length < wire.length; length++) {
    const reader = new MessageReader(maxBytes);
    assert.equal(reader.push(wire.subarray(0, length)), []);
    assert.is(reader.isCut, true);
  }
});

test('a message that came in one chunk is not copied', () => {
  const wire = frame(Buffer.from('abc'));
  const [message] = new MessageReader(maxBytes).push(wire);
  assert.is(message?.buffer, wire.buffer);
});

const refused = (bytes: Buffer) => {
  try {
    new MessageReader(maxBytes).push(bytes);
  } catch (error) {
    if (error instanceof EtcdError) return { code: error.code, text: error.message };
  }
  return null;
};

test('a message is refused by its length alone, with the text of etcd', () => {
  assert.is(refused(framePrefix(maxBytes)), null);
  assert.equal(refused(framePrefix(maxBytes + 1)), {
    code: status.RESOURCE_EXHAUSTED,
    text: 'grpc: received message larger than max (1001 vs. 1000)',
  });
  assert.is(refused(framePrefix(2 ** 32 - 1))?.code, status.RESOURCE_EXHAUSTED);
});

test('a message that is compressed, or is none, is refused', () => {
  assert.equal(refused(Buffer.of(1, 0, 0, 0, 0)), {
    code: status.INTERNAL,
    text: 'grpc: compressed flag set with identity or empty encoding',
  });
  assert.equal(refused(Buffer.from('GET / HTTP/1.1')), {
    code: status.INTERNAL,
    text: 'grpc: received unexpected payload format 71',
  });
});

test.run();
