import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NatsConnection } from 'nats';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  decodeMessage,
  encodeMessage,
  type Signal,
  type StateMessage,
  stateSchema,
} from '../../../shared/messages.ts';
import { type ServerPair, startServerPair } from '../../../shared/nats-server/testing.ts';
import { subjects } from '../../../shared/subjects.ts';
import { readHistory } from './history-file.ts';
import { type DatastoreFacts, type StateService, startStateService } from './service.ts';

/** Against a real nats-server; the prober and the datastore are played by the test. */
interface Context {
  servers: ServerPair;
  connection: NatsConnection;
  folder: string;
  running: StateService[];
}

const limitMs = 10_000;
const checks = [
  'local.nic',
  'local.cni',
  'local.api',
  'local.storage',
  'local.datastore',
  'northsouth.gateway',
];

const verified: DatastoreFacts = {
  logVerified: true,
  notices: [],
  neverJoined: false,
  logLink: 'works',
  reconverged: true,
  failure: null,
  epoch: 4,
  revision: 184_223,
  conflicts: 0,
};

function signal(name: string, status: Signal['status'] = 'ok', value: Signal['value'] = {}): Signal {
  const [area, check = ''] = name.split('.') as [Signal['area'], string];
  const at = new Date().toISOString();
  const reason = status === 'ok' ? '' : `${check} is broken`;
  const severity = 'fatal';
  const rest = { seq: 0, ttl_ms: 15_000, boot_id: '', severity, value } as const;
  return { v: 1, node: 'node-a', area, check, status, since: at, at, reason, ...rest };
}

const healthy = () => [...checks, 'eastwest.beat'].map((name) => signal(name));

function say({ connection }: Context, ...signals: Signal[]): void {
  for (const { node, area, check, ...rest } of signals) {
    connection.publish(subjects.health(node, area, check), encodeMessage({ node, area, check, ...rest }));
  }
}

async function start(context: Context, facts: { now: DatastoreFacts | null }, registry = new Registry()) {
  const { servers, connection, folder, running } = context;
  const log: string[] = [];
  const service = await startStateService({
    config: servers.config,
    node: 'node-a',
    connection,
    logger: pino({ level: 'warn' }, { write: (line: string) => log.push(line) }),
    registry,
    paths: { stateFile: join(folder, 'state.json'), historyFile: join(folder, 'history.jsonl') },
    datastoreFacts: () => facts.now,
    bootId: 'boot-1',
  });
  running.push(service);
  return { service, registry, log };
}

/** The first state message that satisfies. */
async function stateWhere(
  { connection }: Context,
  isWanted: (message: StateMessage) => boolean,
): Promise<StateMessage> {
  const subscription = connection.subscribe(subjects.state('node-a'));
  const timer = setTimeout(() => subscription.unsubscribe(), limitMs);
  try {
    for await (const { data } of subscription) {
      const state = decodeMessage(stateSchema, data);
      if (!state.ok) throw new Error(state.error);
      if (isWanted(state.value)) return state.value;
    }
    throw new Error(`no such state within ${limitMs} ms`);
  } finally {
    clearTimeout(timer);
    subscription.unsubscribe();
  }
}

const test = suite<Context>('state service');

test.before(async (context) => {
  context.servers = await startServerPair();
});
test.before.each(async (context) => {
  context.connection = await context.servers.connect('node-a', 'services');
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-state-'));
  context.running = [];
});
test.after.each(async ({ running, connection, folder }) => {
  for (const service of running) await service.stop();
  await connection.close();
  rmSync(folder, { recursive: true });
});
test.after(async ({ servers }) => {
  await servers.stop();
});

test('from signals to a state that is told, kept and counted', async (context) => {
  const { registry } = await start(context, { now: verified });
  const starting = await stateWhere(context, () => true);
  assert.is(starting.state, 'Impaired');
  assert.is(starting.reason, 'starting');

  say(context, ...healthy());
  const leader = await stateWhere(context, ({ state }) => state === 'Leader');
  assert.is(leader.reason, null);
  assert.is(leader.text, '');
  assert.is(leader.epoch, 4);
  assert.is(leader.revision, 184_223);
  assert.is(leader.ttl_ms, 3_000);
  assert.is(leader.peer.heard, true);

  say(context, signal('local.cni', 'failed'));
  const impaired = await stateWhere(context, ({ state }) => state === 'Impaired');
  assert.is(impaired.reason, 'local-failure');
  assert.match(impaired.text, /^cni is broken since \d\d:\d\d:\d\dZ$/);

  const metrics = await registry.metrics();
  assert.match(metrics, 'twonode_state{state="Impaired"} 1');
  assert.match(metrics, 'twonode_state{state="Leader"} 0');
  assert.match(metrics, 'twonode_state_transitions_total{from="Leader",to="Impaired"} 1');
  assert.match(metrics, `twonode_state_since_seconds ${Date.parse(impaired.since) / 1_000}`);
  const history = readHistory(join(context.folder, 'history.jsonl'));
  assert.equal(
    history.map(({ from, to }) => `${from} ${to}`),
    ['Impaired Leader', 'Leader Impaired'],
  );
});

test('the state is told every second, and to whoever asks', async (context) => {
  await start(context, { now: verified });
  const first = await stateWhere(context, () => true);
  const second = await stateWhere(context, ({ seq }) => seq > first.seq);
  assert.is(second.seq, first.seq + 1);
  const answer = await context.connection.request(subjects.status('node-a', 'shim'));
  const told = decodeMessage(stateSchema, answer.data);
  assert.ok(told.ok && told.value.state === 'Impaired' && told.value.role === 'leader');
});

test('a restarted shim goes on with the state it had, before it has heard anything', async (context) => {
  const { service } = await start(context, { now: verified });
  say(context, ...healthy());
  await stateWhere(context, ({ state }) => state === 'Leader');
  await service.stop();

  const again = await start(context, { now: null });
  assert.is(again.service.current().state, 'Leader');
  const told = await stateWhere(context, () => true);
  assert.is(told.state, 'Leader');
});

test('a shim that starts late asks the prober', async (context) => {
  context.connection.subscribe(subjects.status('node-a', 'prober'), {
    callback: (_, message) => {
      message.respond(JSON.stringify({ v: 1, node: 'node-a', signals: healthy() }));
    },
  });
  const { service } = await start(context, { now: verified });
  assert.is(service.current().state, 'Leader');
});

test('the datastore: poke looks at once', async (context) => {
  const facts = { now: verified };
  const { service } = await start(context, facts);
  say(context, ...healthy());
  await stateWhere(context, ({ state }) => state === 'Leader');
  const changes: string[] = [];
  service.onChange(({ state, reason }) => changes.push(`${state} ${reason}`));
  facts.now = { ...verified, failure: 'the log is full' };
  service.poke();
  assert.equal(changes, ['Impaired local-failure']);
  assert.match(service.current().text, /^the log is full since /);
});

test('the state message of the peer is heard', async (context) => {
  const { service } = await start(context, { now: verified });
  say(context, ...healthy());
  const own = await stateWhere(context, ({ state }) => state === 'Leader');
  const peer: StateMessage = {
    ...own,
    node: 'node-b',
    role: 'follower',
    state: 'LeaderRX',
    reason: 'reconverging',
  };
  context.connection.publish(subjects.state('node-b'), encodeMessage(peer));
  await stateWhere(context, ({ peer: { state } }) => state === 'LeaderRX');
  assert.is(service.current().peer.reason, 'reconverging');
});

test('what cannot be read is counted, logged once and ignored', async (context) => {
  const { service, registry, log } = await start(context, { now: verified });
  say(context, ...healthy());
  await stateWhere(context, ({ state }) => state === 'Leader');
  log.length = 0;
  const { connection } = context;
  connection.publish(subjects.health('node-a', 'local', 'cni'), '{"v":1');
  connection.publish(subjects.health('node-a', 'local', 'cni'), '{"v":2}');
  connection.publish(subjects.state('node-b'), 'null');
  const foreign = { ...signal('local.api', 'failed'), node: 'node-b' };
  connection.publish(subjects.health('node-a', 'local', 'api'), encodeMessage(foreign));
  await connection.flush();
  say(context, signal('local.storage', 'warning'));
  await stateWhere(context, ({ warnings }) => warnings.length > 0);
  assert.is(service.current().state, 'Leader');
  assert.match(await registry.metrics(), 'twonode_malformed_messages_total 4');
  assert.equal(
    log.map((line) => JSON.parse(line).error),
    ['not JSON (6 bytes)', 'message: Invalid input: expected object, received null', 'node: expected node-a'],
  );
});

test('a disk that refuses does not stop the state', async (context) => {
  const { folder } = context;
  context.folder = join(folder, 'missing');
  const { log } = await start(context, { now: verified });
  say(context, ...healthy());
  await stateWhere(context, ({ state }) => state === 'Leader');
  assert.match(log.join(''), 'the state cannot be written');
  assert.throws(() => readFileSync(join(context.folder, 'state.json')));
  context.folder = folder;
});

test.run();
