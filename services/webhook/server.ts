import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';

/** A certificate and its key, in PEM. */
export interface ServingCertificate {
  cert: string;
  key: string;
}

/** Times in milliseconds after which a client is cut off. */
export interface ServerLimits {
  handshakeMs: number;
  /** For a whole request, its head and its body, so that slow clients hold no connection for ever. */
  requestMs: number;
  /** How often requests are looked at: one is cut off this much later at most. */
  checkMs: number;
}
const usualLimits: ServerLimits = { handshakeMs: 5_000, requestMs: 10_000, checkMs: 1_000 };

/** kube-apiserver keeps idle connections for 90 s; a server that closes them first makes it see resets. */
const keepAliveTimeoutMs = 120_000;
/** kube-apiserver opens one for each review that goes on at the same time. */
const connectionsMax = 1_024;

/**
 * Serves over HTTPS on 127.0.0.1. Exchange its certificate with `setSecureContext`: connections that stand go on.
 *
 * @param onTlsFault called with the error code when a client speaks no TLS, or trusts another CA
 * @throws Error with code EADDRINUSE when the port is taken
 */
export async function serve(
  listener: RequestListener,
  port: number,
  { cert, key }: ServingCertificate,
  onTlsFault: (code: string) => void,
  limits: ServerLimits = usualLimits,
): Promise<Server> {
  const options = {
    cert,
    key,
    handshakeTimeout: limits.handshakeMs,
    requestTimeout: limits.requestMs,
    headersTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
  };
  const server = createServer(options, listener);
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.maxConnections = connectionsMax;
  server.on('tlsClientError', (error: NodeJS.ErrnoException) => onTlsFault(error.code ?? 'unknown'));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server;
}

/** Ends a server once the requests on their way are answered. */
export async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await closed;
}
