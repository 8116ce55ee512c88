import type { IncomingHttpHeaders } from 'node:http2';
import { EtcdError } from '../errors.ts';
import { status } from './status.ts';
import { parseTimeout } from './timeout.ts';

/** The HTTP status for what is no gRPC request at all; null for one that is (grpc/doc/PROTOCOL-HTTP2.md). */
export function httpRefusal(headers: IncomingHttpHeaders): number | null {
  if (headers[':method'] !== 'POST') return 405;
  const contentType = headers['content-type'];
  if (contentType === 'application/grpc') return null;
  // It may say what form its messages have: `application/grpc+proto`.
  return /^application\/grpc[+;]/.test(contentType ?? '') ? null : 415;
}

/**
 * How long the client waits for the call, in milliseconds; undefined when it has not said so.
 * @throws EtcdError when it is malformed, or when the client compresses its messages
 */
export function timeoutOf(headers: IncomingHttpHeaders): number | undefined {
  const encoding = headers['grpc-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    const text = `grpc: Decompressor is not installed for grpc-encoding "${encoding}"`;
    throw new EtcdError(status.UNIMPLEMENTED, text);
  }
  const timeout = headers['grpc-timeout'];
  if (timeout === undefined) return undefined;
  const timeoutMs = parseTimeout(String(timeout));
  if (timeoutMs === null) throw new EtcdError(status.INTERNAL, `malformed grpc-timeout: "${timeout}"`);
  return timeoutMs;
}

/** For a path that no service has; the texts are those of etcd's gRPC library. */
export function unknownMethod(path: string, services: ReadonlySet<string>): EtcdError {
  const [, service, method] = /^\/(.+)\/([^/]*)$/.exec(path) ?? [];
  if (service === undefined) return new EtcdError(status.UNIMPLEMENTED, `malformed method name: "${path}"`);
  const text = services.has(service)
    ? `unknown method ${method} for service ${service}`
    : `unknown service ${service}`;
  return new EtcdError(status.UNIMPLEMENTED, text);
}
