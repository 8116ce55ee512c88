import { readFileSync } from 'node:fs';
import { Registry } from 'prom-client';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseKey } from '../../shared/mutation/registry-key.ts';
import type { Backend } from './backend.ts';
import { registerCallMetrics } from './etcd/call-metrics.ts';
import { status } from './etcd/grpc/status.ts';
import { registerLogMetrics, registerStoreMetrics } from './metrics.ts';
import { registerJudgedWrites } from './node/judged-writes.ts';
import { registerStateMetrics } from './state/metrics.ts';
import { Database } from './store/database.ts';
import { WatchHub } from './watch/watch-hub.ts';

const test = suite('metrics of the shim');

function setUp() {
  const registry = new Registry();
  const database = new Database();
  const backend: Backend = {
    database,
    watches: new WatchHub(database.store),
    identity: Buffer.alloc(0),
    linearizable: () => Promise.resolve(),
    write: () => Promise.reject(new Error('nothing is written here')),
    cluster: {
      memberId: 0xabn,
      leaderId: () => 0xabn,
      term: () => 3,
      logSequence: () => 17,
      pendingWrites: () => 2,
      logBytes: () => Promise.resolve(4_096),
      quotaBytes: 8_192,
      members: () => [],
    },
  };
  registerStoreMetrics(registry, backend);
  const calls = registerCallMetrics(registry);
  const written = registerLogMetrics(registry);
  const judged = registerJudgedWrites(registry);
  return { registry, database, calls, written, judged };
}

test('what is scraped is what is true then, each time', async () => {
  const { registry, database, written } = setUp();
  database.alarms.raise({ memberId: 0xabn, type: 'NOSPACE' });
  written(0.0015);
  await registry.metrics();
  const text = await registry.metrics();
  for (const line of [
    'etcd_server_is_leader 1',
    'etcd_server_leader_changes_seen_total 3',
    'etcd_server_proposals_committed_total 17',
    'etcd_server_proposals_pending 2',
    'etcd_mvcc_db_total_size_in_bytes 4096',
    'etcd_debugging_server_alarms{server_id="ab",alarm_type="NOSPACE"} 1',
    'etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 1',
  ]) {
    assert.match(text, `\n${line}\n`);
  }
  database.alarms.disarm({ memberId: 0xabn, type: 'NOSPACE' });
  assert.not.match(await registry.metrics(), 'alarm_type="NOSPACE"');
});

test('calls have the labels of etcd', async () => {
  const { registry, calls } = setUp();
  const method = { service: 'etcdserverpb.KV', method: 'Put', type: 'unary' } as const;
  calls.started(method);
  calls.received(method, 10);
  calls.handled(method, status.PERMISSION_DENIED);
  const text = await registry.metrics();
  const labels = 'grpc_service="etcdserverpb.KV",grpc_method="Put",grpc_type="unary"';
  assert.match(text, `grpc_server_started_total{${labels}} 1`);
  assert.match(text, `grpc_server_handled_total{${labels},grpc_code="PermissionDenied"} 1`);
  assert.match(text, 'etcd_network_client_grpc_received_bytes_total 10');
});

test('what the lists let through and refuse is counted by state and resource', async () => {
  const { registry, judged } = setUp();
  for (const [key, allowed] of [
    ['/registry/configmaps/default/x', false],
    ['/registry/example.com/configmaps/default/x', false],
    ['/my/own/key', false],
    ['/registry/leases/kube-system/x', true],
    ['/registry/events/default/x', true],
  ] as const) {
    judged('LeaderRX', parseKey(key), allowed);
  }
  const text = await registry.metrics();
  const lines = text.split('\n').filter((line) => /^twonode_writes_(allowed|refused)/.test(line));
  assert.equal(lines, [
    'twonode_writes_allowed_total{state="LeaderRX",resource="leases"} 1',
    'twonode_writes_allowed_total{state="LeaderRX",resource="events"} 1',
    'twonode_writes_refused_total{state="LeaderRX",resource="configmaps"} 1',
    'twonode_writes_refused_total{state="LeaderRX",resource="other"} 1',
    'twonode_writes_refused_total{state="LeaderRX",resource="keys"} 1',
  ]);
});

test('every metric is in docs/metrics.md', async () => {
  const { registry } = setUp();
  registerStateMetrics(registry, () => ({ state: 'Leader', sinceMs: 0 }));
  const page = readFileSync('docs/metrics.md', 'utf8');
  for (const { name } of await registry.getMetricsAsJSON()) assert.match(page, name);
});

test.run();
