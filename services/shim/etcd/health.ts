import type { Backend } from '../backend.ts';
import { EtcdError, unknownService } from './errors.ts';
import { healthCheckRequest, healthCheckResponse } from './messages.ts';
import { onSingleRequest } from './single-request.ts';
import type { Service, StreamCall } from './transport.ts';

/** `HealthCheckResponse.ServingStatus`. */
const servingStatus = { serving: 1, notServing: 2 } as const;
/** How often a health Watch looks, in milliseconds. */
const watchIntervalMs = 1_000;

/**
 * gRPC health checking (grpc/health/v1/health.proto): serving whenever reads can be answered. As with etcd only the server as a
 * whole is known, by the empty name.
 */
export function health(backend: Backend): Service {
  const look = () =>
    backend.linearizable().then(
      () => servingStatus.serving,
      (error: unknown) => {
        if (error instanceof EtcdError) return servingStatus.notServing;
        throw error;
      },
    );
  return {
    name: 'grpc.health.v1.Health',
    unary: {
      Check: async (request) => {
        if (healthCheckRequest.decode(request).service !== '') throw unknownService();
        return healthCheckResponse.encode({ status: await look() });
      },
    },
    streaming: { Watch: (call) => onSingleRequest(call, () => watch(call, look)) },
  };
}

/** Tells the status at once, and whenever it changes. */
function watch(call: StreamCall, look: () => Promise<number>): void {
  let told = 0;
  const tell = async () => {
    const status = await look();
    if (status !== told) call.write(healthCheckResponse.encode({ status }));
    told = status;
  };
  const run = () => tell().catch((error: Error) => call.end(error));
  const timer = setInterval(run, watchIntervalMs);
  call.onClose(() => clearInterval(timer));
  void run();
}
