import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { WireError } from '../../protobuf/wire.ts';
import { malformedInStream } from '../errors.ts';
import type { Metadata, StreamCall, Streaming } from '../transport.ts';
import type { Method } from './call-observer.ts';
import { MessageReader } from './framing.ts';
import { endWith, type Outcome, refuse, sendHeaders, writeMessage } from './response.ts';
import {
  type CallOptions,
  cutMessage,
  deadlineExceeded,
  metadataOf,
  outcomeOf,
  type ServeCall,
} from './serve-call.ts';
import { status } from './status.ts';

/** Serves a method whose messages are streams. `open` holds the calls that are not over, for the server to end. */
export function serveStreaming(
  method: Method,
  handler: Streaming,
  open: Set<StreamCall>,
  options: CallOptions,
): ServeCall {
  return (stream, headers, timeoutMs) => {
    const call = new GrpcStreamCall(stream, headers, method, options);
    open.add(call);
    call.onClose(() => open.delete(call));
    call.serve(handler, timeoutMs);
  };
}

const ok: Outcome = { code: status.OK, text: '' };

/**
 * Bytes that may wait for a client while its messages are taken. Beyond it nothing more is read of the call until it has read them all:
 * then HTTP/2's flow control holds back a client that only sends, as it does with etcd.
 */
export const unsentBytesMax = 1024 * 1024;

class GrpcStreamCall implements StreamCall {
  readonly metadata: Metadata;
  readonly #stream: ServerHttp2Stream;
  readonly #method: Method;
  readonly #options: CallOptions;
  readonly #onMessage: ((request: Buffer) => void)[] = [];
  readonly #onHalfClose: (() => void)[] = [];
  readonly #onClose: (() => void)[] = [];
  readonly #onDrain: (() => void)[] = [];
  /** Messages of the last chunk that are held back. */
  #held: Buffer[] = [];
  #unsentBytes = 0;
  #outcome: Outcome | null = null;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, method: Method, options: CallOptions) {
    this.#stream = stream;
    this.metadata = metadataOf(headers);
    this.#method = method;
    this.#options = options;
  }

  serve(handler: Streaming, timeoutMs: number | undefined): void {
    const { observer, maxMessageBytes } = this.#options;
    observer.started(this.#method);
    const deadline =
      timeoutMs === undefined ? undefined : setTimeout(() => this.#end(deadlineExceeded), timeoutMs);
    const reader = new MessageReader(maxMessageBytes);
    this.#stream.on('data', (chunk: Buffer) => this.#take(reader, chunk));
    this.#stream.on('end', () => {
      if (reader.isCut) this.end(cutMessage());
      else for (const listener of this.#onHalfClose) listener();
    });
    this.#stream.on('close', () => {
      clearTimeout(deadline);
      const code = this.#stream.rstCode === 0 ? this.#outcome?.code : undefined;
      observer.handled(this.#method, code ?? status.CANCELLED);
      for (const listener of this.#onClose) listener();
    });
    try {
      handler(this);
    } catch (error) {
      this.end(error as Error);
    }
  }

  #take(reader: MessageReader, chunk: Buffer): void {
    this.#guarded(() => {
      this.#held = this.#held.concat(reader.push(chunk));
      this.#serveHeld();
    });
  }

  #serveHeld(): void {
    let served = 0;
    while (served < this.#held.length && !this.#isOver && this.#unsentBytes <= unsentBytesMax) {
      const request = this.#held[served++] as Buffer;
      this.#options.observer.received(this.#method, request.length);
      for (const listener of this.#onMessage) listener(request);
    }
    this.#held = this.#isOver ? [] : this.#held.slice(served);
    if (this.#unsentBytes > unsentBytesMax) this.#stream.pause();
    else this.#stream.resume();
  }

  /** What goes wrong with its messages ends the call. */
  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.end(error instanceof WireError ? malformedInStream(error.message) : (error as Error));
    }
  }

  onMessage(handler: (request: Buffer) => void): void {
    this.#onMessage.push(handler);
  }

  onHalfClose(handler: () => void): void {
    this.#onHalfClose.push(handler);
  }

  onClose(handler: () => void): void {
    this.#onClose.push(handler);
  }

  onDrain(handler: () => void): void {
    this.#onDrain.push(handler);
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  get #isOver(): boolean {
    return this.#outcome !== null || this.#stream.closed;
  }

  write(response: Uint8Array): void {
    if (this.#isOver) return;
    this.#options.observer.sent(this.#method, response.length);
    if (!this.#stream.headersSent) sendHeaders(this.#stream);
    this.#unsentBytes += response.length;
    writeMessage(this.#stream, response, () => {
      this.#unsentBytes -= response.length;
      if (this.#unsentBytes === 0) this.#drained();
    });
  }

  /** Nothing waits any longer. Where that is because the client has gone, nobody is to send more. */
  #drained(): void {
    if (this.#isOver) return;
    for (const listener of this.#onDrain) listener();
    this.#guarded(() => this.#serveHeld());
  }

  end(error?: Error): void {
    if (this.#isOver) return;
    this.#end(error ? outcomeOf(error, this.#method.method, this.#options.onFault) : ok);
  }

  #end(outcome: Outcome): void {
    if (this.#isOver) return;
    this.#outcome = outcome;
    if (!this.#stream.headersSent) {
      refuse(this.#stream, outcome);
      return;
    }
    endWith(this.#stream, outcome);
  }
}
