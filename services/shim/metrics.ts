import { status } from '@grpc/grpc-js';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Backend } from './backend.ts';

/** The shim's metrics beside those of the state machine. Those of etcd's names make etcd's own dashboard work. */
export function registerMetrics(registry: Registry, backend: Backend) {
  const registers = [registry];
  const handled = new Counter({
    name: 'grpc_server_handled_total',
    help: 'gRPC calls that were answered, by their outcome.',
    labelNames: ['grpc_service', 'grpc_method', 'grpc_code'],
    registers,
  });
  const refused = new Counter({
    name: 'twonode_writes_refused_total',
    help: 'Writes that a mutation list refused at the datastore.',
    labelNames: ['grpc_method'],
    registers,
  });
  gauge(
    'twonode_conflicts',
    'Conflicts of merges that are recorded in the log.',
    () => backend.database.conflicts.length,
  );
  gauge('etcd_debugging_mvcc_keys_total', 'Keys in the store.', () => backend.database.store.size.keys);
  gauge(
    'etcd_debugging_mvcc_current_revision',
    'The newest revision that readers may see.',
    () => backend.database.store.visible,
  );
  gauge(
    'etcd_debugging_mvcc_compact_revision',
    'The compact revision.',
    () => backend.database.store.compacted,
  );
  gauge('etcd_debugging_mvcc_watcher_total', 'Watchers.', () => backend.watches.size);
  gauge('etcd_server_has_leader', 'Whether a member takes writes.', () =>
    backend.cluster.leaderId() ? 1 : 0,
  );
  gauge('etcd_server_is_leader', 'Whether this member takes writes.', () =>
    backend.cluster.leaderId() === backend.cluster.memberId ? 1 : 0,
  );
  gauge('etcd_server_proposals_applied_total', 'Sequence of the newest record of the log.', () =>
    backend.cluster.logSequence(),
  );

  function gauge(name: string, help: string, value: () => number): void {
    const instance: Gauge = new Gauge({ name, help, registers, collect: () => instance.set(value()) });
  }

  return {
    handled: (service: string, method: string, code: status) => {
      handled.inc({ grpc_service: service, grpc_method: method, grpc_code: codeNames[code] ?? String(code) });
      if (code === status.PERMISSION_DENIED) refused.inc({ grpc_method: method });
    },
  };
}

/** gRPC's codes in the form that Go's middleware, and so etcd, gives them: `PermissionDenied`. */
const codeNames: Partial<Record<status, string>> = Object.fromEntries(
  Object.entries(status)
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
    .map(([name, code]) => [code, name === 'OK' ? 'OK' : camelCase(name)]),
);

function camelCase(name: string): string {
  return name
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
