import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BeatMac } from './mac.ts';

const lengthMax = 300;

test('it is HMAC-SHA256, whatever the key and the messages before', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: lengthMax }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.string({ maxLength: 100 }), messages, (secret, bodies) => {
      const mac = new BeatMac(secret, lengthMax);
      for (const body of bodies) {
        const expected = createHmac('sha256', secret).update(body).digest();
        assert.equal(mac.of(Buffer.from(body), 0), expected);
      }
    }),
  );
});

test('what stands before the message is not in it', () => {
  const body = Buffer.from('a beat');
  const mac = new BeatMac('secret', lengthMax);
  assert.equal(mac.of(Buffer.concat([Buffer.from('head'), body]), 4), mac.of(body, 0));
});

test('a message that is too long is refused', () => {
  assert.throws(
    () => new BeatMac('secret', lengthMax).of(Buffer.alloc(lengthMax + 1), 0),
    (error: unknown) => error instanceof RangeError,
  );
});

test.run();
