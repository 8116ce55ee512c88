import { status } from '@grpc/grpc-js';
import { Counter, type Registry } from 'prom-client';
import type { CallObserver, Method } from './grpc-server.ts';

const methodLabels = ['grpc_service', 'grpc_method', 'grpc_type'] as const;

/** Metrics of the gRPC calls, with the names and labels that etcd has from Go's middleware. */
export function registerCallMetrics(registry: Registry): CallObserver {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter<Label>({ name, help, labelNames: [...labelNames], registers: [registry] });
  const started = counter('grpc_server_started_total', 'gRPC calls that were begun.', methodLabels);
  const handled = counter('grpc_server_handled_total', 'gRPC calls that ended, by their outcome.', [
    ...methodLabels,
    'grpc_code',
  ]);
  const received = counter('grpc_server_msg_received_total', 'gRPC messages received.', methodLabels);
  const sent = counter('grpc_server_msg_sent_total', 'gRPC messages sent.', methodLabels);
  const receivedBytes = counter(
    'etcd_network_client_grpc_received_bytes_total',
    'Bytes of messages received from clients.',
    [],
  );
  const sentBytes = counter(
    'etcd_network_client_grpc_sent_bytes_total',
    'Bytes of messages sent to clients.',
    [],
  );
  const refused = counter(
    'twonode_writes_refused_total',
    'Writes that a mutation list refused at the datastore.',
    ['grpc_method'],
  );
  /** The counters of each method, looked up once: this is on the path of every call. */
  const ofMethod = (method: Method) => {
    const labels = { grpc_service: method.service, grpc_method: method.method, grpc_type: method.type };
    return {
      labels,
      started: started.labels(labels),
      received: received.labels(labels),
      sent: sent.labels(labels),
    };
  };
  const known = new Map<Method, ReturnType<typeof ofMethod>>();
  const of = (method: Method) => {
    const found = known.get(method) ?? ofMethod(method);
    known.set(method, found);
    return found;
  };
  return {
    started: (method) => of(method).started.inc(),
    handled: (method, code) => {
      handled.inc({ ...of(method).labels, grpc_code: codeNames[code] ?? String(code) });
      if (code === status.PERMISSION_DENIED) refused.inc({ grpc_method: method.method });
    },
    received: (method, bytes) => {
      of(method).received.inc();
      receivedBytes.inc(bytes);
    },
    sent: (method, bytes) => {
      of(method).sent.inc();
      sentBytes.inc(bytes);
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
