import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { EtcdError } from '../errors.ts';
import type { LargeMessage, Unary } from '../transport.ts';
import type { Method } from './call-observer.ts';
import { MessageReader } from './framing.ts';
import { answer, type Outcome, refuse } from './response.ts';
import {
  type CallOptions,
  cutMessage,
  deadlineExceeded,
  metadataOf,
  outcomeOf,
  type ServeCall,
} from './serve-call.ts';
import { type Status, status } from './status.ts';

/** Serves a method that takes one message and answers one. */
export function serveUnary(method: Method, handler: Unary, options: CallOptions): ServeCall {
  return (stream, headers, timeoutMs) =>
    new UnaryCall(stream, method, options).serve(handler, headers, timeoutMs);
}

class UnaryCall {
  readonly #stream: ServerHttp2Stream;
  readonly #method: Method;
  readonly #options: CallOptions;
  #deadline: NodeJS.Timeout | undefined;
  #called = false;
  #answered = false;

  constructor(stream: ServerHttp2Stream, method: Method, options: CallOptions) {
    this.#stream = stream;
    this.#method = method;
    this.#options = options;
  }

  serve(handler: Unary, headers: IncomingHttpHeaders, timeoutMs: number | undefined): void {
    this.#options.observer.started(this.#method);
    if (timeoutMs !== undefined) this.#deadline = setTimeout(() => this.#refuse(deadlineExceeded), timeoutMs);
    const reader = new MessageReader(this.#options.maxMessageBytes);
    this.#stream.on('data', (chunk: Buffer) => {
      if (this.#answered) return;
      try {
        for (const request of reader.push(chunk)) this.#call(handler, request, headers);
      } catch (error) {
        this.#fail(error as Error);
      }
    });
    this.#stream.on('end', () => {
      if (!this.#called) this.#fail(reader.isCut ? cutMessage() : noRequest());
    });
    this.#stream.on('close', () => this.#settle(status.CANCELLED));
  }

  /** A handler may throw before it returns a promise; both ways are one here. */
  #call(handler: Unary, request: Buffer, headers: IncomingHttpHeaders): void {
    if (this.#called) throw secondRequest();
    this.#called = true;
    this.#options.observer.received(this.#method, request.length);
    handler(request, metadataOf(headers)).then(
      (response) => this.#answer(response),
      (error: Error) => this.#fail(error),
    );
  }

  #answer(response: Uint8Array | LargeMessage): void {
    if (!this.#settle(status.OK)) return;
    this.#options.observer.sent(this.#method, response.length);
    answer(this.#stream, response);
  }

  #fail(error: Error): void {
    if (!this.#answered) this.#refuse(outcomeOf(error, this.#method.method, this.#options.onFault));
  }

  #refuse(outcome: Outcome): void {
    if (this.#settle(outcome.code)) refuse(this.#stream, outcome);
  }

  /** The call has its outcome. Returns whether it can be told: it had none before, and the client is still there. */
  #settle(code: Status): boolean {
    if (this.#answered) return false;
    this.#answered = true;
    clearTimeout(this.#deadline);
    const isGone = this.#stream.closed;
    this.#options.observer.handled(this.#method, isGone ? status.CANCELLED : code);
    return !isGone;
  }
}

const noRequest = () => new EtcdError(status.INTERNAL, 'grpc: a call without its request');
const secondRequest = () => new EtcdError(status.INTERNAL, 'grpc: a call with more than one request');
