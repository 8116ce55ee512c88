import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { WireError } from '../../protobuf/wire.ts';
import { EtcdError, malformed } from '../errors.ts';
import type { Metadata } from '../transport.ts';
import type { CallObserver } from './call-observer.ts';
import type { Outcome } from './response.ts';
import { status } from './status.ts';

export interface CallOptions {
  /** Largest message that is taken, in bytes. */
  maxMessageBytes: number;
  observer: CallObserver;
  /** Called with what no caller should see: a fault of ours. */
  onFault: (method: string, error: Error) => void;
}

/** Serves one call. `timeoutMs` is how long its client waits, undefined when it has not said so. */
export type ServeCall = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  timeoutMs: number | undefined,
) => void;

export const deadlineExceeded: Outcome = {
  code: status.DEADLINE_EXCEEDED,
  text: 'context deadline exceeded',
};

/** A client that ends its call within a message. */
export const cutMessage = () => new EtcdError(status.INTERNAL, 'unexpected EOF');

export function metadataOf(headers: IncomingHttpHeaders): Metadata {
  return (name) => headers[name]?.toString();
}

/** What the client is told. A fault of ours is logged and told as such. */
export function outcomeOf(error: Error, method: string, onFault: CallOptions['onFault']): Outcome {
  if (error instanceof EtcdError) return { code: error.code, text: error.message };
  if (error instanceof WireError) return outcomeOf(malformed(error.message), method, onFault);
  onFault(method, error);
  return { code: status.INTERNAL, text: `twonode: ${method}: internal error` };
}
