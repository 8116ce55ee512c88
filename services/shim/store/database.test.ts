import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Database, type Epoch, epochsMax, mergedMax } from './database.ts';

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

const epochOf = (number: number): Epoch => ({ number, id: `e${number}`, firstSequence: number * 10 });

test('after very many starts the newest epochs are known, and the first; stated again they are the same', () => {
  const database = new Database();
  const starts = epochsMax * 3;
  for (let number = 1; number <= starts; number++) database.addEpoch(epochOf(number));
  assert.equal(
    database.epochs,
    Array.from({ length: epochsMax }, (_, i) => epochOf(starts - epochsMax + 1 + i)),
  );
  assert.equal(database.founding, epochOf(1));
  const again = new Database();
  for (const entry of [...database.epochEntries(), ...database.epochEntries()]) again.applyEntry(entry);
  assert.equal([again.epochs, again.founding], [database.epochs, database.founding]);
});

test('a first epoch that does not come into the log is none', () => {
  const database = new Database();
  database.addEpoch(epochOf(1));
  database.undoEpoch();
  assert.equal([database.epochs, database.founding], [[], undefined]);
});

test('of very many merged overlays the newest are known', () => {
  const database = new Database();
  for (let i = 1; i <= mergedMax * 2; i++)
    database.applyEntry({ kind: 'merged', overlay: `o${i}`, position: i });
  assert.is(database.merged.size, mergedMax);
  assert.is(database.merged.get(`o${mergedMax}`), undefined);
  assert.is(database.merged.get(`o${mergedMax + 1}`), mergedMax + 1);
});

test.run();
