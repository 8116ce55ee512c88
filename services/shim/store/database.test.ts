import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Database } from './database.ts';

const test = suite('database');

test('an epoch that is stated again behind a newer one stays the older one', () => {
  const database = new Database();
  database.applyEntry({ kind: 'epoch', number: 2, id: 'second', firstSequence: 56 });
  database.applyEntry({ kind: 'epoch', number: 1, id: 'first', firstSequence: 1 });
  database.applyEntry({ kind: 'epoch', number: 2, id: 'second', firstSequence: 56 });
  assert.equal(
    database.epochs.map(({ id }) => id),
    ['first', 'second'],
  );
  assert.is(database.epoch?.number, 2);
});

test.run();
