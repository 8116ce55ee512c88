import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Backend } from './backend.ts';
import { etcdVersion } from './etcd/version.ts';
import type { ReplicationView } from './node/node.ts';

/**
 * The shim's metrics of its store and log, beside those of its calls (etcd/call-metrics.ts) and of the state machine. They
 * have etcd's names where they mean the same, so that etcd's own dashboard works; docs/metrics.md lists them.
 */
export function registerStoreMetrics(registry: Registry, backend: Backend): void {
  const { cluster, watches } = backend;
  const store = () => backend.database.store;
  const registers = [registry];

  const gauge = (name: string, help: string, value: () => number | Promise<number>) => {
    const collect = async () => instance.set(await value());
    const instance: Gauge = new Gauge({ name, help, registers, collect });
  };
  /** A number that only grows and is kept elsewhere. */
  const counter = (name: string, help: string, value: () => number) => {
    const collect = () => {
      instance.reset();
      instance.inc(value());
    };
    const instance: Counter = new Counter({ name, help, registers, collect });
  };
  new Gauge({
    name: 'etcd_server_version',
    help: 'The etcd version whose API is served.',
    labelNames: ['server_version'],
    registers,
  }).set({ server_version: etcdVersion }, 1);

  gauge('etcd_server_has_leader', 'Whether a member takes writes.', () => (cluster.leaderId() ? 1 : 0));
  gauge('etcd_server_is_leader', 'Whether this member takes writes.', () =>
    cluster.leaderId() === cluster.memberId ? 1 : 0,
  );
  counter(
    'etcd_server_leader_changes_seen_total',
    'Number of the epoch: each start of a leader begins one.',
    () => cluster.term(),
  );
  counter('etcd_server_proposals_committed_total', 'Sequence of the newest record of the log.', () =>
    cluster.logSequence(),
  );
  counter('etcd_server_proposals_applied_total', 'Sequence of the newest record that is applied.', () =>
    cluster.logSequence(),
  );
  gauge('etcd_server_proposals_pending', 'Writes that wait for the log.', () => cluster.pendingWrites());
  gauge('etcd_server_quota_backend_bytes', 'Size of the log at which the NOSPACE alarm is raised.', () =>
    Promise.resolve(cluster.quotaBytes),
  );
  gauge('etcd_mvcc_db_total_size_in_bytes', 'Size of the log on disk.', () => cluster.logBytes());
  gauge(
    'etcd_mvcc_db_total_size_in_use_in_bytes',
    'Size of the keys and values in memory.',
    () => store().size.bytes,
  );
  gauge('etcd_debugging_mvcc_keys_total', 'Keys in the store.', () => store().size.keys);
  gauge(
    'etcd_debugging_mvcc_current_revision',
    'The newest revision that readers may see.',
    () => store().visible,
  );
  gauge('etcd_debugging_mvcc_compact_revision', 'The compact revision.', () => store().compacted);
  gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.', () => watches.size);
  gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watchers whose client is behind.', () => watches.behind);
  const conflicts = () => backend.database.conflicts;
  gauge(
    'twonode_conflicts',
    'Conflicts that nobody has ended, but routine ones.',
    () => conflicts().forPeople,
  );
  gauge(
    'twonode_conflicts_routine',
    'Conflicts over what controllers rewrite anyway.',
    () => conflicts().size - conflicts().forPeople,
  );
  counter(
    'twonode_conflicts_evicted_total',
    'Conflicts that are no longer kept because there were too many.',
    () => conflicts().evicted,
  );
  alarmGauge(registry, backend);
}

function alarmGauge(registry: Registry, backend: Backend): void {
  const instance: Gauge = new Gauge({
    name: 'etcd_debugging_server_alarms',
    help: 'Alarms that are raised.',
    labelNames: ['server_id', 'alarm_type'],
    registers: [registry],
    collect: () => {
      instance.reset();
      for (const { memberId, type } of backend.database.alarms.raised())
        instance.set({ server_id: memberId.toString(16), alarm_type: type }, 1);
    },
  });
}

/** How long the log takes from a record's publication to its acknowledgement, which comes when it is on disk. */
export function registerLogMetrics(registry: Registry): (seconds: number) => void {
  const duration = new Histogram({
    name: 'etcd_disk_wal_fsync_duration_seconds',
    help: 'Time from the publication of a record of the log to its acknowledgement: it is on disk.',
    // etcd's own buckets.
    buckets: Array.from({ length: 14 }, (_, i) => 0.001 * 2 ** i),
    registers: [registry],
  });
  return (seconds) => duration.observe(seconds);
}

/** How the two copies of the log stand to each other. */
export function registerReplicationMetrics(registry: Registry, view: () => ReplicationView): void {
  const gauge = (name: string, help: string, value: () => number | null) => {
    // What this role does not know is not told.
    if (value() === null) return;
    const collect = () => instance.set(value() ?? 0);
    const instance: Gauge = new Gauge({ name, help, registers: [registry], collect });
  };
  gauge('twonode_replication_link_up', "Whether the peer's shim answers and the mirror is active.", () =>
    view().linkWorks ? 1 : 0,
  );
  gauge(
    'twonode_replication_stored_sequence',
    'Sequence of the newest record that the follower is known to hold.',
    () => view().stored,
  );
  gauge('twonode_replication_following', 'Whether writes wait for the follower.', () => {
    const { following } = view();
    return following === null ? null : Number(following);
  });
  gauge(
    'twonode_replication_lag_revisions',
    'Revisions that the leader has acknowledged and this follower does not show yet.',
    () => view().lagRevisions,
  );
  gauge(
    'twonode_replication_lag_seconds',
    'For how long this follower has not shown all that the leader has acknowledged.',
    () => view().lagSeconds,
  );
}
