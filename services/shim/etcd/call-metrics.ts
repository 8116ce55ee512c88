import { Counter, type Registry } from 'prom-client';
import type { CallObserver, Method } from './grpc/call-observer.ts';
import { type Status, status } from './grpc/status.ts';

const methodLabels = ['grpc_service', 'grpc_method', 'grpc_type'] as const;

/** What was counted of one method. */
interface Tally {
  started: number;
  received: number;
  sent: number;
  handled: Map<Status, number>;
}

/**
 * Metrics of the gRPC calls, with the names and labels that etcd has from Go's middleware. They are counted in plain
 * numbers, since this is on the path of every call, and become metrics when somebody asks.
 */
export function registerCallMetrics(registry: Registry): CallObserver {
  const tallies = new Map<Method, Tally>();
  const bytes = { received: 0, sent: 0 };
  const tallyOf = (method: Method): Tally => {
    const known = tallies.get(method);
    if (known) return known;
    const tally = { started: 0, received: 0, sent: 0, handled: new Map<Status, number>() };
    tallies.set(method, tally);
    return tally;
  };
  const counter = <Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (instance: Counter<Label>) => void,
  ) => {
    const collect = () => {
      instance.reset();
      fill(instance);
    };
    const instance: Counter<Label> = new Counter<Label>({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect,
    });
  };
  const perMethod = (name: string, help: string, field: 'started' | 'received' | 'sent') =>
    counter(name, help, methodLabels, (instance) => {
      for (const [method, tally] of tallies) instance.inc(labelsOf(method), tally[field]);
    });

  perMethod('grpc_server_started_total', 'gRPC calls that were begun.', 'started');
  perMethod('grpc_server_msg_received_total', 'gRPC messages received.', 'received');
  perMethod('grpc_server_msg_sent_total', 'gRPC messages sent.', 'sent');
  counter(
    'grpc_server_handled_total',
    'gRPC calls that ended, by their outcome.',
    [...methodLabels, 'grpc_code'],
    (instance) => {
      for (const [method, { handled }] of tallies)
        for (const [code, count] of handled)
          instance.inc({ ...labelsOf(method), grpc_code: codeNames.get(code) ?? String(code) }, count);
    },
  );
  counter(
    'etcd_network_client_grpc_received_bytes_total',
    'Bytes of messages received from clients.',
    [],
    (instance) => instance.inc(bytes.received),
  );
  counter('etcd_network_client_grpc_sent_bytes_total', 'Bytes of messages sent to clients.', [], (instance) =>
    instance.inc(bytes.sent),
  );
  return {
    started: (method) => {
      tallyOf(method).started++;
    },
    handled: (method, code) => {
      const { handled } = tallyOf(method);
      handled.set(code, (handled.get(code) ?? 0) + 1);
    },
    received: (method, size) => {
      tallyOf(method).received++;
      bytes.received += size;
    },
    sent: (method, size) => {
      tallyOf(method).sent++;
      bytes.sent += size;
    },
  };
}

function labelsOf({ service, method, type }: Method) {
  return { grpc_service: service, grpc_method: method, grpc_type: type };
}

/** gRPC's codes in the form that Go's middleware, and so etcd, gives them: `PermissionDenied`. */
const codeNames = new Map<Status, string>(
  Object.entries(status).map(([name, code]) => [code, name === 'OK' ? 'OK' : camelCase(name)]),
);

function camelCase(name: string): string {
  return name
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
