import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { type Certificates, newAuthority } from '../../services/webhook/certificates.ts';
import { stateMessage } from '../../services/webhook/testing/reviews.ts';
import { createLeaf, isSignedBy } from '../../services/webhook/x509.ts';
import { eventually } from '../eventually.ts';
import { type GuardedApiserver, node, startGuardedApiserver } from './guarded-apiserver.ts';

// The running webhook exchanges its certificates, and then its CA, while a real kube-apiserver asks it without a pause. A review
// that fails would let the write through, for the webhook fails open and this datastore refuses nothing: so each is seen.

/** For more: CALLERS=100 node dist/test/e2e/webhook-rotation.test.js, on a machine that has nothing else to do. */
const callers = Number(process.env.CALLERS ?? 20);
/** Each waits so long after an answer: kube-apiserver gives a review a second, also on a busy machine. */
const pauseMs = 200;
const lifetimeMs = 14_000;
/** The CA is announced with the first new leaf, signs the second, and the old one goes with the third. */
const exchanges = 3;
const limitMs = 60_000;

const test = suite<{ apiserver: GuardedApiserver; first: Certificates }>(
  'certificates are exchanged under load',
);

/** A CA which is due, and a leaf of it which is not. */
async function agedCertificates(nowMs: number): Promise<Certificates> {
  const tenLeafs = 10 * lifetimeMs;
  const authority = await newAuthority(node, nowMs - 4 * tenLeafs, lifetimeMs);
  return { authority, next: null, previous: null, leaf: await createLeaf(authority, nowMs, lifetimeMs) };
}

test.before(async (context) => {
  context.first = await agedCertificates(Date.now());
  context.apiserver = await startGuardedApiserver({ certificates: { lifetimeMs, first: context.first } });
  await context.apiserver.tell(stateMessage({ node, ttl_ms: 120_000 }));
});
test.after(({ apiserver }) => apiserver.stop());

const configMap = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'c' } });

/** Creates a ConfigMap by HTTP. @returns the status and what it said */
function create(url: URL, agent: Agent, token: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const asked = request(url, { method: 'POST', agent, headers }, async (response) => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve(`${response.statusCode} ${body}`);
    });
    asked.once('error', reject);
    asked.end(configMap);
  });
}

/** Why kube-apiserver let writes through without an answer of the webhook. */
function failedReviews({ kubeconfig }: GuardedApiserver): string[] {
  const log = readFileSync(join(dirname(kubeconfig), 'kube-apiserver.log'), 'utf8');
  return log.split('\n').filter((line) => line.includes('failing open state.twonode.dev'));
}

test('by many callers of a real kube-apiserver: each is refused with the sentence', async ({
  apiserver,
  first,
}) => {
  const { clusters, users } = parse(readFileSync(apiserver.kubeconfig, 'utf8'));
  const url = new URL('/api/v1/namespaces/default/configmaps', clusters[0].cluster.server);
  const ca = readFileSync(clusters[0].cluster['certificate-authority']);
  const agent = new Agent({ keepAlive: true, maxSockets: callers, ca });
  const leafs = new Set([first.leaf.cert]);
  const deadline = Date.now() + limitMs;
  let asking = true;
  let refused = 0;
  const others: string[] = [];
  const caller = async () => {
    while (asking) {
      const answer = await create(url, agent, users[0].user.token);
      if (/^403 .*LeaderRX: node-b is a restricted leader/.test(answer)) refused++;
      else others.push(answer);
      await delay(pauseMs);
    }
  };
  const load = Promise.all(Array.from({ length: callers }, caller));
  while (leafs.size <= exchanges && Date.now() < deadline) {
    await delay(100);
    leafs.add(apiserver.webhook.certificates().leaf.cert);
  }
  asking = false;
  await load;
  agent.destroy();
  const last = apiserver.webhook.certificates();
  console.log(`    ${leafs.size - 1} exchanges, ${refused} reviews refused, ${others.length} others`);
  assert.is(leafs.size - 1, exchanges);
  assert.is.not(last.authority.cert, first.authority.cert);
  assert.ok(isSignedBy(last.authority, last.leaf) && last.previous === null);
  assert.equal(failedReviews(apiserver).slice(0, 3), []);
  assert.equal(others.slice(0, 3), []);
  assert.ok(refused > callers);
});

test('a manifest that somebody deletes or breaks is written again', async ({ apiserver }) => {
  const manifest = join(dirname(apiserver.kubeconfig), 'webhook', 'manifests', 'twonode.yaml');
  // The certificates go on being renewed meanwhile, and with them the bundle.
  const isWhole = (text: string) => text.includes('state.twonode.dev') && !text.includes('broken');
  const read = async () => (existsSync(manifest) ? readFileSync(manifest, 'utf8') : '');
  rmSync(manifest);
  await eventually(read, isWhole, limitMs);
  writeFileSync(manifest, 'broken');
  await eventually(read, isWhole, limitMs);
});

test.run();
