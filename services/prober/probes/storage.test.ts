import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { judgeStorage, StorageProbe, type StorageReading } from './storage.ts';

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
  const reading = await new StorageProbe(join(root, 'nats'), 2_000).read();
  assert.is(reading.writeFault, '');
  assert.ok(reading.blocks.total > 0);
  rmSync(root, { recursive: true });
});

test('a write that hangs is not begun a second time, and leaves the threads of the pool to others', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-storage-'));
  const file = join(folder, '.twonode-probe');
  // Who opens a FIFO to write waits in the kernel until someone reads.
  execFileSync('mkfifo', [file]);
  const probe = new StorageProbe(folder, 20);
  for (let run = 0; run < 8; run++) assert.is((await probe.read()).writeFault, 'timeout');
  assert.equal(await readdir(folder), ['.twonode-probe']);
  const reader = await open(file, 'r');
  // It ends with what a FIFO cannot do: fsync.
  let fault = 'timeout';
  while (fault === 'timeout') fault = (await probe.read()).writeFault;
  assert.is(fault, 'EINVAL');
  await reader.close();
  rmSync(folder, { recursive: true });
});

test.run();
