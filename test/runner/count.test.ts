import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { addCounts, countUvu, summaryLine } from './count.ts';

const summary = (total: number, passed: number, skipped: number) =>
  `• •   (${passed} / ${total})\n\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1ms\n`;

test("reads uvu's summary", () => {
  assert.equal(countUvu(summary(5, 3, 1), 1), { passed: 3, failed: 2, skipped: 1 });
});

test('a file that ends badly after its tests passed has one failure', () => {
  assert.equal(countUvu(summary(2, 2, 0), 1), { passed: 2, failed: 1, skipped: 0 });
  assert.equal(countUvu(summary(2, 2, 0), null), { passed: 2, failed: 1, skipped: 0 });
});

test('a file without a summary has one failure, whatever its status', () => {
  assert.equal(countUvu('', 0), { passed: 0, failed: 1, skipped: 0 });
});

test('the last line names skipped tests only when there are some', () => {
  const counts = addCounts([
    { passed: 1, failed: 0, skipped: 0 },
    { passed: 2, failed: 1, skipped: 0 },
  ]);
  assert.is(summaryLine(counts), '3 passed, 1 failed');
  assert.is(summaryLine({ ...counts, skipped: 4 }), '3 passed, 1 failed, 4 skipped');
});

test.run();
