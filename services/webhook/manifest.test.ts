import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { matchConditions, writeManifests } from './manifest.ts';

const test = suite<{ folder: string }>('manifest');
test.before.each((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-webhook-'));
});
test.after.each(({ folder }) => rmSync(folder, { recursive: true, force: true }));

test('kube-apiserver finds the folder, and in it a webhook of its own host', ({ folder }) => {
  const admissionConfig = join(folder, 'admission-config.yaml');
  writeManifests(folder, admissionConfig, 9443, 'PEM');
  const [plugin] = parse(readFileSync(admissionConfig, 'utf8')).plugins;
  assert.is(plugin.name, 'ValidatingAdmissionWebhook');
  const { staticManifestsDir } = plugin.configuration;
  assert.ok(staticManifestsDir.startsWith('/'));
  const manifest = parse(readFileSync(join(staticManifestsDir, 'twonode.yaml'), 'utf8'));
  assert.match(manifest.metadata.name, /\.static\.k8s\.io$/);
  const [webhook] = manifest.webhooks;
  assert.is(webhook.clientConfig.url, 'https://127.0.0.1:9443/validate');
  assert.is(Buffer.from(webhook.clientConfig.caBundle, 'base64').toString(), 'PEM\n');
  assert.equal([webhook.failurePolicy, webhook.timeoutSeconds, webhook.sideEffects], ['Ignore', 1, 'None']);
});

test('is written anew only when it changes', ({ folder }) => {
  const admissionConfig = join(folder, 'admission-config.yaml');
  const file = join(folder, 'manifests', 'twonode.yaml');
  const write = (bundle: string) => {
    writeManifests(folder, admissionConfig, 9443, bundle);
    return statSync(file).ino;
  };
  const first = write('one');
  assert.is(write('one'), first);
  assert.is.not(write('one\ntwo'), first);
});

test("nobody is passed over for being k3s' admin", () => {
  const expressions = matchConditions.map(({ expression }) => expression).join('\n');
  assert.not.match(expressions, 'system:masters');
  assert.not.match(expressions, 'system:admin');
  assert.not.match(expressions, "startsWith('system:')");
});

test.run();
