import type { ServerHttp2Session } from 'node:http2';

/** etcd's `--grpc-keepalive-interval` and `--grpc-keepalive-timeout`: how often a client is asked whether it lives. */
export const keepalive = { intervalMs: 7_200_000, timeoutMs: 20_000 } as const;

/** Ends a connection whose client does not answer a ping: one that vanished without a word would be kept for ever. */
export function keepAlive(
  session: ServerHttp2Session,
  { intervalMs, timeoutMs }: { intervalMs: number; timeoutMs: number },
): void {
  let limit: NodeJS.Timeout | undefined;
  const timer = setInterval(() => {
    // It ends a little before it says so, and cannot be asked any more.
    if (session.destroyed) return;
    limit = setTimeout(() => session.destroy(), timeoutMs);
    // Where too many pings wait already, the limit decides.
    session.ping((error) => {
      if (!error) clearTimeout(limit);
    });
  }, intervalMs);
  session.once('close', () => {
    clearInterval(timer);
    clearTimeout(limit);
  });
}
