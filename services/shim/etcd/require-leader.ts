import type { ClusterView } from '../backend.ts';
import { etcdErrors } from './errors.ts';
import type { Metadata, Service, Streaming, Unary } from './transport.ts';

/** How often it is looked whether there is a leader, in ms, and how many looks without one end a stream: as in etcd. */
const lookIntervalMs = 1_000;
const looksMax = 3;

/**
 * Clients that send `hasleader: true` want to be told when no member takes writes (etcd server/etcdserver/api/v3rpc,
 * interceptor.go): their calls then fail, and their streams end after three seconds, with `etcdserver: no leader`.
 */
export function requireLeader(
  services: Service[],
  cluster: ClusterView,
  every: (look: () => void) => void = (look) => setInterval(look, lookIntervalMs).unref(),
): Service[] {
  const ended = new Set<() => void>();
  let looks = 0;
  every(() => {
    looks = cluster.leaderId() === 0n ? looks + 1 : 0;
    if (looks >= looksMax) for (const end of ended) end();
  });

  const isRefused = (metadata: Metadata) => metadata('hasleader') === 'true' && cluster.leaderId() === 0n;
  const unary =
    (handler: Unary): Unary =>
    (request, metadata) => {
      if (isRefused(metadata)) throw etcdErrors.noLeader();
      return handler(request, metadata);
    };
  const streaming =
    (handler: Streaming): Streaming =>
    (call) => {
      if (isRefused(call.metadata)) {
        call.end(etcdErrors.noLeader());
        return;
      }
      if (call.metadata('hasleader') === 'true') {
        const end = () => call.end(etcdErrors.noLeader());
        ended.add(end);
        call.onClose(() => ended.delete(end));
      }
      handler(call);
    };
  return services.map((service) => ({
    name: service.name,
    unary: mapValues(service.unary, unary),
    streaming: mapValues(service.streaming, streaming),
  }));
}

function mapValues<T>(record: Record<string, T>, change: (value: T) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
