import { etcdServices, grpcOverheadBytes } from '../../services/shim/etcd/api.ts';
import { registerCallMetrics } from '../../services/shim/etcd/call-metrics.ts';
import { GrpcServer } from '../../services/shim/etcd/grpc/server.ts';
import type { ShimNode } from '../../services/shim/node/node.ts';
import { createRegistry } from '../../shared/metrics.ts';
import { freePort } from '../../shared/process/ports.ts';

const maxRequestBytes = 1.5 * 1024 ** 2;
const stopLimitMs = 1_000;

/** Serves the etcd API of a node, as its shim does. Faults of ours end the process. */
export async function serveEtcd(backend: ShimNode): Promise<{ address: string; stop(): Promise<void> }> {
  const services = etcdServices({
    backend,
    maxRequestBytes,
    watchProgressIntervalMs: 600_000,
    requestTimeoutMs: 7_000,
  });
  const server = new GrpcServer(services, {
    maxMessageBytes: maxRequestBytes + grpcOverheadBytes,
    observer: registerCallMetrics(createRegistry()),
    onFault: (method, error) => {
      throw new Error(`${method}: ${error.stack}`);
    },
  });
  const port = await freePort();
  await server.listen({ host: '127.0.0.1', port });
  return { address: `127.0.0.1:${port}`, stop: () => server.stop(stopLimitMs) };
}
