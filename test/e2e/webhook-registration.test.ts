import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StateMessage } from '../../shared/messages.ts';
import { eventually } from '../eventually.ts';
import {
  type GuardedApiserver,
  node,
  olderKubeApiserver,
  startGuardedApiserver,
} from './guarded-apiserver.ts';

// Kubernetes before 1.37 knows no static manifests: there the webhook registers itself as an object of the API. An object works
// with 1.37 too; OLDER_KUBE_APISERVER=PATH node dist/test/e2e/webhook-registration.test.js tries it with an older one.

const test = suite<{ apiserver: GuardedApiserver }>('the webhook as an object of the API');
const object = 'validatingwebhookconfiguration/twonode';
const limitMs = 20_000;

const restricted: StateMessage = {
  v: 1,
  node,
  role: 'follower',
  state: 'LeaderRX',
  since: '2026-01-02T12:03:12Z',
  reason: 'peer-down',
  text: 'node-a unreachable since 12:03:11Z',
  warnings: [],
  epoch: 1,
  revision: 1,
  conflicts: 0,
  peer: { node: 'node-a', state: 'Impaired', reason: null, heard: false, age_ms: null },
  seq: 1,
  ttl_ms: 60_000,
};

test.before(async (context) => {
  context.apiserver = await startGuardedApiserver({ ...olderKubeApiserver(), registration: 'object' });
});
test.after(({ apiserver }) => apiserver.stop());

/** The apiserver calls a webhook a moment after it was registered: asks until a write is refused. */
async function untilRefused({ kubectl }: GuardedApiserver): Promise<string> {
  const { output } = await eventually(
    () => kubectl(['create', 'namespace', 'n', '--dry-run=server']),
    ({ status }) => status !== 0,
    limitMs,
  );
  return output;
}

test('is registered, and refuses', async ({ apiserver }) => {
  await apiserver.tell(restricted);
  assert.match(await untilRefused(apiserver), 'denied the request: LeaderRX: node-b is a restricted leader');
});

test('is registered again when somebody deletes it', async ({ apiserver }) => {
  const { kubectl } = apiserver;
  const deleted = await kubectl(['delete', object]);
  assert.is(deleted.status, 0, deleted.output);
  const created = await kubectl(['wait', object, '--for=create', `--timeout=${limitMs}ms`]);
  assert.is(created.status, 0, created.output);
  assert.match(await untilRefused(apiserver), 'denied the request: LeaderRX');
});

test('is repaired when somebody breaks it, and written only then', async ({ apiserver: { kubectl } }) => {
  const webhook = (field: string) => ['get', object, '-o', `jsonpath={${field}}`];
  const good = await kubectl(webhook('.webhooks[0].clientConfig.caBundle'));
  const patch = [
    { op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: 'AAAA' },
    { op: 'replace', path: '/webhooks/0/failurePolicy', value: 'Fail' },
  ];
  const broken = await kubectl(['patch', object, '--type=json', '-p', JSON.stringify(patch)]);
  assert.is(broken.status, 0, broken.output);
  const repaired = ['--for=jsonpath={.webhooks[0].failurePolicy}=Ignore', `--timeout=${limitMs}ms`];
  const waited = await kubectl(['wait', object, ...repaired]);
  assert.is(waited.status, 0, waited.output);
  assert.equal(await kubectl(webhook('.webhooks[0].clientConfig.caBundle')), good);
  const version = await kubectl(webhook('.metadata.resourceVersion'));
  // Longer than the webhook waits before it looks again.
  const changed = await kubectl(['get', object, '--watch-only', '--request-timeout=7s', '-o', 'name']);
  assert.equal([changed.output.trim(), await kubectl(webhook('.metadata.resourceVersion'))], ['', version]);
});

test.run();
