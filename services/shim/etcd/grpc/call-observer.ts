import type { Status } from './status.ts';

/** One method of a service, and how its messages go: etcd's metrics have all three as labels. */
export interface Method {
  service: string;
  method: string;
  type: 'unary' | 'bidi_stream';
}

/** Hears of each call and each message. Sizes are in bytes. */
export interface CallObserver {
  started(method: Method): void;
  handled(method: Method, code: Status): void;
  received(method: Method, bytes: number): void;
  sent(method: Method, bytes: number): void;
}
