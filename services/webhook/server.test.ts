import { once } from 'node:events';
import { Agent, request as httpsRequest, type Server } from 'node:https';
import { type AddressInfo, connect as tcpConnect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StateMessage } from '../../shared/messages.ts';
import { systemClassValue } from '../../shared/mutation/priority-classes.ts';
import { createApp } from './app.ts';
import { type Certificates, caBundle, renew } from './certificates.ts';
import { WebhookMetrics } from './metrics.ts';
import { close, serve } from './server.ts';
import { reviewBody, stateMessage } from './testing/reviews.ts';
import { createLeaf } from './x509.ts';

interface Context {
  server: Server;
  port: number;
  certificates: Certificates;
  state: StateMessage | null;
  logged: string[];
  registry: Registry;
  tlsFaults: string[];
}
const test = suite<Context>('the webhook over HTTPS');
const nowMs = Date.parse('2026-01-02T12:03:53Z');
const callers = 20;
const lifetimeMs = 3_600_000;

test.before(async (context) => {
  context.registry = new Registry();
  context.logged = [];
  context.tlsFaults = [];
  context.certificates = await renew(null, 'node-b', Date.now(), lifetimeMs);
  const app = createApp({
    policy: {
      lists: { approvedMutationList: [], impairedMutationList: [] },
      classValue: systemClassValue,
    },
    metrics: new WebhookMetrics(context.registry),
    state: () => context.state,
    now: () => nowMs,
    logger: { warn: (...line: unknown[]) => void context.logged.push(JSON.stringify(line)) },
  });
  context.server = await serve(app, 0, context.certificates.leaf, (code) => context.tlsFaults.push(code));
  context.port = (context.server.address() as AddressInfo).port;
});
test.before.each((context) => {
  context.state = stateMessage();
  context.logged.length = 0;
});
test.after(({ server }) => close(server));

interface Call {
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  agent?: Agent;
}

function call({ port, certificates }: Context, { path = '/validate', method = 'POST', ...rest }: Call) {
  return new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...rest.headers };
    const options = { host: '127.0.0.1', port, path, method, headers, ca: caBundle(certificates) };
    const sent = httpsRequest({ ...options, ...(rest.agent ? { agent: rest.agent } : {}) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => resolve({ status: response.statusCode, body }));
    });
    sent.once('error', reject);
    sent.end(rest.body);
  });
}

const review = (change?: Record<string, unknown>) => JSON.stringify(reviewBody(change));

test('refuses with a sentence, and answers the uid and the kind', async (context) => {
  const { status, body } = await call(context, { body: review() });
  assert.is(status, 200);
  const answer = JSON.parse(body);
  assert.equal([answer.apiVersion, answer.kind], ['admission.k8s.io/v1', 'AdmissionReview']);
  assert.is(answer.response.uid, '705ab4f5-6393-11e8-b7cc-42010a800002');
  assert.not(answer.response.allowed);
  assert.match(answer.response.status.message, /^LeaderRX: node-b is a restricted leader/);
});

test('fails open while the state is not known', async (context) => {
  context.state = null;
  const { body } = await call(context, { body: review() });
  assert.ok(JSON.parse(body).response.allowed);
});

const secret = 'aHVudGVyMg';
const bad: [name: string, call: Call, status: number, sentence: string][] = [
  ['another path', { path: '/mutate', body: '{}' }, 404, 'there is only /validate'],
  ['another method', { method: 'GET' }, 405, 'only POST'],
  ['no JSON', { body: `{"x": "${secret}` }, 400, 'the body is not JSON'],
  ['no object', { body: '[]' }, 400, 'not an AdmissionReview: body: '],
  ['no review', { body: `{"kind": "${secret}"}` }, 400, 'not an AdmissionReview: apiVersion: '],
  [
    'an old version',
    { body: review().replace('k8s.io/v1', 'k8s.io/v1beta1') },
    400,
    'expected admission.k8s.io/v1',
  ],
  [
    'another content type',
    { headers: { 'content-type': 'application/yaml' }, body: secret },
    415,
    'expected Content-Type application/json',
  ],
  ['no body', {}, 400, 'not an AdmissionReview: apiVersion: '],
  [
    'a packed body',
    { headers: { 'content-encoding': 'gzip' }, body: secret },
    415,
    'expected a body without Content-Encoding',
  ],
  [
    'another charset',
    { headers: { 'content-type': 'application/json; charset=latin1' }, body: '{}' },
    415,
    'expected a body in UTF-8',
  ],
  [
    'a body that is too large',
    { body: `"${'x'.repeat(7 * 1024 * 1024)}"` },
    413,
    'the body is larger than 7mb',
  ],
];
for (const [name, asked, status, sentence] of bad) {
  test(`${name} gets ${status} and one sentence`, async (context) => {
    const answer = await call(context, asked);
    assert.is(answer.status, status);
    assert.match(answer.body, sentence);
    assert.is(answer.body.trimEnd().split('\n').length, 1);
    assert.not.match(answer.body + context.logged.join(), secret);
    assert.is((await call(context, { body: review() })).status, 200);
  });
}

test('two objects of 3 MB fit', async (context) => {
  const object = { data: { big: 'x'.repeat(3 * 1024 * 1024) } };
  const { status } = await call(context, { body: review({ object, oldObject: object }) });
  assert.is(status, 200);
});

test('an object nested a million deep is judged like any other', async (context) => {
  const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
  const body = review({ object: { spec: 'deep' } }).replace('"deep"', deep);
  const { status } = await call(context, { body });
  assert.is(status, 200);
});

test('garbage within TLS gets 400', async (context) => {
  const socket = tlsConnect({ host: '127.0.0.1', port: context.port, ca: caBundle(context.certificates) });
  let said = '';
  socket.on('data', (chunk) => {
    said += chunk;
  });
  socket.on('error', () => {});
  socket.end(`\0\x01${secret}\r\n\r\n`);
  await once(socket, 'close');
  assert.match(said, /^HTTP\/1\.1 400 /);
  assert.not.match(said + context.logged.join(), secret);
  assert.is((await call(context, { body: review() })).status, 200);
});

test('a client that speaks no TLS harms nobody', async (context) => {
  const socket = tcpConnect(context.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.end('GET / HTTP/1.1\r\n\r\n');
  socket.resume();
  await once(socket, 'close');
  assert.is((await call(context, { body: review() })).status, 200);
  assert.ok(context.tlsFaults.length > 0);
});

test('certificates are exchanged under load, without a request lost', async (context) => {
  const agent = new Agent({ keepAlive: true, maxSockets: callers, ca: caBundle(context.certificates) });
  let exchanging = true;
  const statuses: (number | undefined)[] = [];
  // Every other request is on a new connection, with a handshake of its own.
  const caller = async () => {
    for (let asked = 0; exchanging; asked++) {
      const { status } = await call(context, { body: review(), ...(asked % 2 ? { agent } : {}) });
      statuses.push(status);
    }
  };
  const load = Promise.all(Array.from({ length: callers }, caller));
  for (let exchanges = 0; exchanges < 5; exchanges++) {
    const { cert, key } = await createLeaf(context.certificates.authority, Date.now(), lifetimeMs);
    context.server.setSecureContext({ cert, key });
    await call(context, { body: review() });
  }
  exchanging = false;
  await load;
  agent.destroy();
  assert.ok(statuses.length >= callers);
  assert.ok(statuses.every((status) => status === 200));
});

test('counts what it answered', async ({ registry }) => {
  const text = await registry.metrics();
  assert.match(text, /twonode_webhook_requests_total\{allowed="false",state="LeaderRX",verb="CREATE"\} \d+/);
  assert.match(text, /twonode_webhook_requests_total\{allowed="true",state="unknown",verb="CREATE"\} 1/);
  assert.match(text, /twonode_webhook_rejected_total\{code="413"\} 1/);
  assert.match(text, /twonode_webhook_duration_seconds_count \d+/);
});

test.run();
