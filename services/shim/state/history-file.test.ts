import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type HistoryEntry, HistoryFile, historyMax, readHistory } from './history-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'twonode-history-'));
const file = join(folder, 'history.jsonl');
test.after(() => rmSync(folder, { recursive: true }));

const entry = (text: string): HistoryEntry => ({
  at: '2026-01-01T12:00:00.000Z',
  from: 'Follower',
  to: 'LeaderRX',
  reason: 'peer-down',
  text,
});

test('nothing written yet is an empty history', () => {
  assert.equal(readHistory(file), []);
});

test('a line that a crash cut off is left out, and later ones are read', () => {
  new HistoryFile(file).append(entry('first'));
  appendFileSync(file, '{"at":"2026-\n');
  new HistoryFile(file).append(entry('second'));
  assert.equal(
    readHistory(file).map(({ text }) => text),
    ['first', 'second'],
  );
});

test('the file is bounded, and keeps the newest', () => {
  const history = new HistoryFile(file);
  for (let n = 1; n <= 2 * historyMax; n++) history.append(entry(`${n}`));
  assert.ok(readFileSync(file, 'utf8').split('\n').length <= 2 * historyMax);
  const kept = readHistory(file);
  assert.is(kept.length, historyMax);
  assert.is(kept.at(-1)?.text, `${2 * historyMax}`);
});

test.run();
