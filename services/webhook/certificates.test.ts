import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readCertificates, writeCertificates } from './certificate-files.ts';
import { type Certificates, caBundle, renew as renewWith } from './certificates.ts';
import { ServingCertificates } from './serving-certificates.ts';
import { isSignedBy } from './x509.ts';

const test = suite<{ folder: string }>('certificates');
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-webhook-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

const start = Date.parse('2026-01-01T00:00:00Z');
const day = 24 * 3_600_000;
const leafLifetimeMs = 7 * day;
const authorityLifetimeMs = 364 * day;
const leafAge = (leafLifetimeMs * 2) / 3;
const renew = (current: Certificates | null, node: string, nowMs: number) =>
  renewWith(current, node, nowMs, leafLifetimeMs);
const open = (folder: string, nowMs: number) =>
  ServingCertificates.open(folder, 'node-b', leafLifetimeMs, nowMs);

test('a leaf for the loopback address, signed by an authority of its own', async () => {
  const { authority, leaf } = await renew(null, 'node-b', start);
  const [ca, served] = [new X509Certificate(authority.cert), new X509Certificate(leaf.cert)];
  assert.ok(served.verify(ca.publicKey) && served.checkIssued(ca));
  assert.is(served.checkIP('127.0.0.1'), '127.0.0.1');
  assert.ok(ca.ca);
  assert.not(served.ca);
  assert.is(leaf.notAfterMs - start, leafLifetimeMs);
  assert.ok(leaf.notBeforeMs < start);
  assert.is.not(ca.serialNumber, served.serialNumber);
});

test('a leaf is renewed after two thirds of its life, the authority stays', async () => {
  const first = await renew(null, 'node-b', start);
  assert.is(await renew(first, 'node-b', start + leafAge - 600_000), first);
  const second = await renew(first, 'node-b', start + leafAge);
  assert.is.not(second.leaf.cert, first.leaf.cert);
  assert.is(caBundle(second), caBundle(first));
});

test('a leaf of a few seconds is not due before two thirds of its life', async () => {
  const lifetimeMs = 10_000;
  const first = await renewWith(null, 'node-b', start, lifetimeMs);
  assert.is(await renewWith(first, 'node-b', start + 6_000, lifetimeMs), first);
  assert.is.not(await renewWith(first, 'node-b', start + 7_000, lifetimeMs), first);
});

test('a leaf from the future is renewed: the clock was set back', async () => {
  const first = await renew(null, 'node-b', start);
  assert.is.not(await renew(first, 'node-b', start - 3_600_000), first);
});

test('a new authority is trusted for the life of a leaf before it signs one, the old one for another', async () => {
  let nowMs = start + (authorityLifetimeMs * 2) / 3;
  const old = await renew(null, 'node-b', start);
  const announced = await renew(old, 'node-b', nowMs);
  assert.ok(isSignedBy(old.authority, announced.leaf));
  assert.is(caBundle(announced).match(/BEGIN/g)?.length, 2);
  nowMs += leafAge;
  const taken = await renew(announced, 'node-b', nowMs);
  assert.is(taken.authority, announced.next);
  assert.ok(taken.next === null && isSignedBy(taken.authority, taken.leaf));
  assert.ok(caBundle(taken).includes(old.authority.cert.trim()));
  nowMs += leafAge;
  assert.is(caBundle(await renew(taken, 'node-b', nowMs)), taken.authority.cert.trim());
});

test('an authority that has ended is replaced at once', async () => {
  const old = await renew(null, 'node-b', start);
  const fresh = await renew(old, 'node-b', start + authorityLifetimeMs);
  assert.is.not(fresh.authority.cert, old.authority.cert);
  assert.ok(isSignedBy(fresh.authority, fresh.leaf));
});

test('they are kept in a file that only the owner reads', async ({ folder }) => {
  const certificates = await renew(null, 'node-b', start);
  writeCertificates(folder, certificates);
  assert.equal(readCertificates(folder), certificates);
  assert.is(statSync(join(folder, 'certificates.json')).mode & 0o777, 0o600);
});

test('a file that cannot be used is replaced', async ({ folder }) => {
  writeFileSync(join(folder, 'certificates.json'), '{"authority": 1');
  assert.is(readCertificates(folder), null);
  const opened = await open(folder, start);
  assert.equal(readCertificates(folder), opened.current);
});

test('a second start serves the same certificate, until it is due', async ({ folder }) => {
  const first = await open(folder, start);
  const second = await open(folder, start + 1_000);
  assert.equal(second.current, first.current);
  assert.not(await second.renew(start + 2_000));
  assert.ok(await second.renew(start + leafAge));
  assert.is.not(second.current.leaf.cert, first.current.leaf.cert);
});

test.run();
