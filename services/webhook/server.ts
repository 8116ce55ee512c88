import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';

/** A certificate and its key, in PEM. */
export interface ServingCertificate {
  cert: string;
  key: string;
}

/** kube-apiserver keeps idle connections for 90 s; a server that closes them first makes it see resets. */
const keepAliveTimeoutMs = 120_000;
/** Longest time for a whole request, so that slow clients hold no connection for ever. */
const requestTimeoutMs = 10_000;
const handshakeTimeoutMs = 5_000;

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
): Promise<Server> {
  const options = { cert, key, handshakeTimeout: handshakeTimeoutMs };
  const server = createServer(options, listener);
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.requestTimeout = requestTimeoutMs;
  server.headersTimeout = requestTimeoutMs;
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
