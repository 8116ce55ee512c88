import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openPki } from './pki.ts';

const test = suite<{ folder: string }>('pki');
test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-pki-'));
});
test.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

test('serving certificates are signed by the CA, for the addresses by which a node is reached', ({
  folder,
}) => {
  const pki = openPki(folder);
  const { cert, key } = pki.serving('node-a', '127.0.1.1');
  const ca = new X509Certificate(readFileSync(pki.ca));
  const serving = new X509Certificate(readFileSync(cert));
  assert.ok(serving.verify(ca.publicKey));
  assert.ok(ca.ca);
  for (const ip of ['127.0.0.1', '127.0.1.1', '10.43.0.1']) assert.is(serving.checkIP(ip), ip);
  assert.is(serving.checkHost('kubernetes.default.svc'), 'kubernetes.default.svc');
  assert.is(statSync(key).mode & 0o777, 0o600);
});

test('a second opening finds the same keys and tokens', ({ folder }) => {
  const [first, second] = [openPki(folder), openPki(folder)];
  assert.is(first.adminToken, second.adminToken);
  assert.match(
    readFileSync(second.tokens, 'utf8'),
    `${first.adminToken},system:admin,admin,"system:masters"`,
  );
});

test.run();
