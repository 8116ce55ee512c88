import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { judgeStorage, readStorage, type StorageReading } from './storage.ts';

const limits = { warningFreePercent: 15, failedFreePercent: 3, warningWriteTime: 1_000 };
const healthy: StorageReading = {
  folder: '/d',
  blocks: { total: 1000, available: 500 },
  inodes: { total: 1000, available: 500 },
  blockBytes: 4096,
  writeMs: 0.4,
  writeFault: '',
};

const cases: [string, Partial<StorageReading>, string, string][] = [
  ['space enough', {}, 'ok', ''],
  ['a file system without inodes', { inodes: { total: 0, available: 0 } }, 'ok', ''],
  ['exactly at the limit', { blocks: { total: 1000, available: 150 } }, 'ok', ''],
  ['nearly full', { blocks: { total: 1000, available: 149 } }, 'warning', '/d: 14 % space free'],
  ['full', { blocks: { total: 1000, available: 29 } }, 'failed', '/d: 2 % space free'],
  ['few inodes', { inodes: { total: 1000, available: 100 } }, 'warning', '/d: 10 % inodes free'],
  [
    'no inodes, and nearly full',
    { blocks: { total: 1000, available: 100 }, inodes: { total: 1000, available: 0 } },
    'failed',
    '/d: 0 % inodes free',
  ],
  ['a slow disk', { writeMs: 1_001 }, 'warning', '/d: a small write takes longer than 1000 ms'],
  ['read-only', { writeMs: null, writeFault: 'EROFS' }, 'failed', '/d: file system is read-only'],
  ['no space', { writeMs: null, writeFault: 'ENOSPC' }, 'failed', '/d: no space left'],
  ['hangs', { writeMs: null, writeFault: 'timeout' }, 'failed', '/d: a small write does not come back'],
  ['forbidden', { writeMs: null, writeFault: 'EACCES' }, 'failed', '/d: cannot be written (EACCES)'],
];

for (const [what, change, status, reason] of cases) {
  test(`storage: ${what}`, () => {
    const verdict = judgeStorage({ ...healthy, ...change }, limits);
    assert.is(verdict.status, status);
    assert.is(verdict.reason, reason);
  });
}

test('the reading of a folder that is not there yet', async () => {
  const root = mkdtempSync(join(tmpdir(), 'twonode-storage-'));
  const reading = await readStorage(join(root, 'nats'), 2_000);
  assert.is(reading.writeFault, '');
  assert.ok(reading.blocks.total > 0);
  rmSync(root, { recursive: true });
});

test.run();
