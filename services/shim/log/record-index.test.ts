import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RecordIndex } from './record-index.ts';

const test = suite('index of records');

/** Ten records of 100 bytes from sequence 5 on; record n goes up to revision 10 n. */
function filled(): RecordIndex {
  const records = new RecordIndex();
  for (let sequence = 5; sequence < 15; sequence++) records.add(sequence, sequence * 10, 100);
  return records;
}

test('a cut holds nothing of the revision, and no more bytes than asked for', () => {
  const records = filled();
  assert.equal(records.cut(1_000, 350), { sequence: 8, revision: 70 });
  assert.equal(records.cut(1_000, 1e9), { sequence: 15, revision: 140 });
  assert.equal(records.cut(71, 1e9), { sequence: 8, revision: 70 });
  assert.equal(records.cut(70, 1e9), { sequence: 7, revision: 60 });
});

test('a record that is larger than the room goes alone', () => {
  assert.equal(filled().cut(1_000, 1), { sequence: 6, revision: 50 });
});

test('there is no cut when the oldest record is needed, or when there is none', () => {
  assert.is(filled().cut(50, 1e9), null);
  assert.is(new RecordIndex().cut(50, 1e9), null);
});

test('what is forgotten is cut no more', () => {
  const records = filled();
  records.forget(8);
  assert.equal(records.cut(1_000, 100), { sequence: 9, revision: 80 });
  records.forget(1);
  records.forget(100);
  assert.is(records.cut(1_000, 100), null);
});

test.run();
