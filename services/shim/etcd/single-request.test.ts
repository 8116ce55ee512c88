import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { onSingleRequest } from './single-request.ts';

const test = suite('a call with a single request');

test('only the first message begins it', () => {
  const handlers: ((request: Buffer) => void)[] = [];
  const begun: string[] = [];
  onSingleRequest({ onMessage: (handler) => handlers.push(handler) }, (request) =>
    begun.push(request.toString()),
  );
  for (const text of ['first', 'second', 'third']) for (const handler of handlers) handler(Buffer.from(text));
  assert.equal(begun, ['first']);
});

test.run();
