import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Memory, MemoryFile, readMemory } from './memory.ts';

const memory = (reason: string): Memory => ({
  v: 1,
  boot_id: 'boot',
  checks: { 'local.nic': { status: 'failed', since: '2026-01-01T00:00:00.000Z', reason } },
  ever_healthy: ['local.api'],
});

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'twonode-memory-'));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const fail = (error: unknown) => {
  throw error;
};

test('what is kept last is read back, in a folder that was not there', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'node-a', 'prober.json');
    const file = new MemoryFile(path, fail);
    for (let round = 1; round <= 20; round++) file.keep(memory(`round ${round}`));
    await file.settled();
    assert.equal(readMemory(path, 'boot'), memory('round 20'));
    assert.equal(readdirSync(join(folder, 'node-a')), ['prober.json']);
    file.keep(memory('later'));
    await file.settled();
    assert.equal(readMemory(path, 'boot'), memory('later'));
  }));

test('a disk that refuses is told, and tried again with the next change', () =>
  withFolder(async (folder) => {
    writeFileSync(join(folder, 'node-a'), 'in the way');
    const path = join(folder, 'node-a', 'prober.json');
    const errors: unknown[] = [];
    const file = new MemoryFile(path, (error) => errors.push(error));
    file.keep(memory('refused'));
    await file.settled();
    assert.is(errors.length, 1);
    rmSync(join(folder, 'node-a'));
    file.keep(memory('taken'));
    await file.settled();
    assert.equal(readMemory(path, 'boot'), memory('taken'));
    assert.is(errors.length, 1);
  }));

test('of another boot only what was ever healthy is remembered', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'prober.json');
    const file = new MemoryFile(path, fail);
    file.keep(memory('before'));
    await file.settled();
    assert.equal(readMemory(path, 'next'), {
      v: 1,
      boot_id: 'next',
      checks: {},
      ever_healthy: ['local.api'],
    });
  }));

test.run();
