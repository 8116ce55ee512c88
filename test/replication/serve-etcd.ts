import { etcdServices, grpcOverheadBytes } from '../../services/shim/etcd/api.ts';
import { createGrpcServer, listen, noObserver } from '../../services/shim/etcd/grpc-server.ts';
import type { ShimNode } from '../../services/shim/node/node.ts';
import { freePort } from '../../shared/process/ports.ts';

const maxRequestBytes = 1.5 * 1024 ** 2;

/** Serves the etcd API of a node, as its shim does. Faults of ours end the process. */
export async function serveEtcd(backend: ShimNode): Promise<{ address: string; close(): void }> {
  const services = etcdServices({
    backend,
    maxRequestBytes,
    watchProgressIntervalMs: 600_000,
    requestTimeoutMs: 7_000,
  });
  const server = createGrpcServer(services, {
    maxMessageBytes: maxRequestBytes + grpcOverheadBytes,
    observer: noObserver,
    onFault: (method, error) => {
      throw new Error(`${method}: ${error.stack}`);
    },
  });
  const address = `127.0.0.1:${await freePort()}`;
  await listen(server, address);
  return { address, close: () => server.forceShutdown() };
}
