import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { commonSequence, type LogView } from './compare.ts';

const test = suite('comparing two logs');

/** A log as the chains of its records, of which those before `first` are cleaned away. Chains differ once a record did. */
function view(
  records: readonly string[],
  first: number,
  epochs: LogView['epochs'] = [],
): LogView & { asked: number } {
  const log = {
    first,
    last: records.length,
    epochs,
    asked: 0,
    chainAt: async (sequence: number) => {
      log.asked++;
      if (sequence < first || sequence > records.length) return null;
      return hash(records.slice(0, sequence));
    },
  };
  return log;
}

function hash(records: readonly string[]): number {
  let value = 7;
  for (const record of records)
    for (const char of record) value = (value * 31 + char.charCodeAt(0)) % 1_000_003;
  return value;
}

const tail = (mark: string, length: number) => Array.from({ length }, (_, i) => `${mark}${i}`);

test('the end of what two logs share is found, whatever each wrote behind it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(60), fc.nat(40), fc.nat(40), async (shared, ours, theirs) => {
      const common = tail('c', shared);
      const own = view([...common, ...tail('a', ours)], 1);
      const peer = view([...common, ...tail('b', theirs)], 1);
      assert.is(await commonSequence(own, peer), shared);
      assert.ok(peer.asked <= 10);
    }),
  );
});

test('what both have cleaned away is not asked for', async () => {
  const common = tail('c', 50);
  const own = view([...common, 'a'], 20);
  assert.is(await commonSequence(own, view([...common, 'b', 'b'], 30)), 50);
});

const epochs = [
  { id: 'one', firstSequence: 1 },
  { id: 'two', firstSequence: 40 },
];

test('an end that the other has cleaned away is known by its epoch', async () => {
  const common = tail('c', 30);
  const own = view(common, 1, epochs.slice(0, 1));
  assert.is(await commonSequence(own, view([...common, ...tail('b', 30)], 45, epochs)), 30);
  // It wrote on in an epoch of its own, which the other never saw.
  const forked = view(common, 1, [{ id: 'other', firstSequence: 25 }]);
  assert.is(await commonSequence(forked, view([...common, ...tail('b', 30)], 45, epochs)), 0);
});

test('an empty log shares nothing', async () => {
  assert.is(await commonSequence(view([], 1), view(tail('b', 5), 1)), 0);
});

test.run();
