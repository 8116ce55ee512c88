import { createServer, type Server } from 'node:http';
import { collectDefaultMetrics, Registry } from 'prom-client';

/**
 * A registry with the process' own metrics; each service adds its own.
 * @param eventLoopMonitoringPrecision milliseconds between two samples of the event loop's lag: each wakes the process, and
 *   `nodejs_eventloop_lag_*` shows this much when there is no lag
 */
export function createRegistry(eventLoopMonitoringPrecision = 10): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision });
  return registry;
}

export interface HealthEndpoints {
  registry: Registry;
  /** Default: 127.0.0.1. */
  host?: string;
  /** Null when the service lives; else one line that says what is wrong. */
  healthy: () => string | null;
  /** Null when the service can do its work; else one line that says what it waits for. */
  ready: () => string | null;
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`.
 * @throws Error with code EADDRINUSE when the port is taken
 */
export async function serveMetrics(port: number, endpoints: HealthEndpoints): Promise<Server> {
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: string, type = 'text/plain; charset=utf-8') => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    const verdict = (fault: string | null) =>
      fault === null ? answer(200, 'ok\n') : answer(503, `${fault}\n`);
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET') answer(405, 'only GET\n');
    else if (path === '/metrics')
      answer(200, await endpoints.registry.metrics(), endpoints.registry.contentType);
    else if (path === '/healthz') verdict(endpoints.healthy());
    else if (path === '/readyz') verdict(endpoints.ready());
    else answer(404, 'there are /metrics, /healthz and /readyz\n');
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, endpoints.host ?? '127.0.0.1', resolve);
  });
  return server;
}
