import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VerifiedPoint } from './verified-point.ts';

const test = suite<{ folder: string; file: string }>('the verified point');

test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-point-'));
  context.file = join(context.folder, 'shim.json');
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true }));

test('it counts as verified in its own boot only', ({ file }) => {
  const position = { sequence: 7, chain: 42 };
  new VerifiedPoint(file, 'this-boot').save(position);
  assert.equal(new VerifiedPoint(file, 'this-boot').load(), position);
  assert.is(new VerifiedPoint(file, 'next-boot').load(), null);
});

test('what the log had once is known in every boot', ({ file }) => {
  assert.is(new VerifiedPoint(file, 'this-boot').reached(), 0);
  new VerifiedPoint(file, 'this-boot').save({ sequence: 7, chain: 42 });
  assert.is(new VerifiedPoint(file, 'next-boot').reached(), 7);
});

test.run();
