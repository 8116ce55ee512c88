import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
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

test('on a full disk the older point stays, and the process goes on', ({ folder, file }) => {
  const point = new VerifiedPoint(file, 'this-boot');
  point.save({ sequence: 7, chain: 42 });
  // The temporary file cannot be made: it is a folder.
  mkdirSync(`${file}.tmp`);
  point.keep({ sequence: 9, chain: 43 });
  assert.equal(new VerifiedPoint(file, 'this-boot').load(), { sequence: 7, chain: 42 });
  rmSync(join(folder, 'shim.json.tmp'), { recursive: true });
  point.keep({ sequence: 9, chain: 43 });
  assert.equal(new VerifiedPoint(file, 'this-boot').load(), { sequence: 9, chain: 43 });
});

test('a point that is forgotten is none', ({ file }) => {
  const point = new VerifiedPoint(file, 'this-boot');
  point.save({ sequence: 7, chain: 42 });
  point.forget();
  assert.is(new VerifiedPoint(file, 'this-boot').load(), null);
});

test('a stop on purpose is known in every boot, until the node goes on', ({ file }) => {
  const position = { sequence: 7, chain: 42 };
  const point = new VerifiedPoint(file, 'this-boot');
  point.save(position);
  assert.is(point.stopped(), null);
  point.keepStopped(position);
  const next = new VerifiedPoint(file, 'next-boot');
  assert.equal(next.stopped(), position);
  assert.is(next.load(), null);
  next.goOn();
  assert.is(next.stopped(), null);
  assert.is(next.load(), null);
  assert.is(next.reached(), 7);
  assert.equal(new VerifiedPoint(file, 'this-boot').load(), position);
});

test('a node goes on only when its disk says so', ({ file }) => {
  const point = new VerifiedPoint(file, 'this-boot');
  point.keepStopped({ sequence: 7, chain: 42 });
  mkdirSync(`${file}.tmp`);
  assert.throws(() => point.goOn());
  assert.ok(new VerifiedPoint(file, 'next-boot').stopped());
});

test('the newest band is known in every boot, whatever point is saved then', ({ file }) => {
  const point = new VerifiedPoint(file, 'this-boot');
  point.save({ sequence: 7, chain: 42 });
  point.beginBand(2 ** 33);
  assert.equal(point.load(), { sequence: 7, chain: 42 });
  const next = new VerifiedPoint(file, 'next-boot');
  assert.is(next.band, 2 ** 33);
  next.save({ sequence: 8, chain: 43 });
  next.keepStopped({ sequence: 8, chain: 43 });
  next.goOn();
  assert.is(new VerifiedPoint(file, 'next-boot').band, 2 ** 33);
});

test.run();
