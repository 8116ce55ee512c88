import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { freePort } from '../../../../shared/process/ports.ts';
import { etcdErrors } from '../errors.ts';
import type { Service, StreamCall } from '../transport.ts';
import { frame, MessageReader } from './framing.ts';
import { GrpcServer, type GrpcServerOptions } from './server.ts';

/** Largest message that {@link startEchoServer} takes, in bytes. */
export const echoBytesMax = 1024 * 1024;

/** What became of the calls, as `Method code`, in the order of their end; and what faults there were. */
export interface Seen {
  handled: string[];
  faults: string[];
  /** The calls of `Collect`, as the server sees them. */
  streams: StreamCall[];
  /** How many pieces of the answers of `Pieces` were taken. */
  pieces: number;
  /** Bytes of the messages that were taken, of all calls. */
  receivedBytes: number;
}

/** The size of each piece of an answer of `Pieces`, in bytes. */
export const echoPieceBytes = 100_000;

/** For the tests of the gRPC server: a service with a method for each way that a call may go. */
function echoService(seen: Seen): Service {
  return {
    name: 'test.Echo',
    unary: {
      /** Answers with what it is sent. */
      Same: async (request) => request,
      /** Answers with what stands in the client's header `x-name`. */
      Name: async (_, metadata) => Buffer.from(metadata('x-name') ?? ''),
      /** Is refused as etcd would. */
      Refuse: () => Promise.reject(etcdErrors.compacted()),
      /** Throws before there is a promise. */
      Throw: () => {
        throw new Error('a secret of ours');
      },
      /** Answers as many pieces as it is told, each of one letter more. */
      Pieces: async (request) => {
        const count = Number(request.toString());
        return { length: count * echoPieceBytes, pieces: pieces(count, seen) };
      },
      /** Never answers. */
      Hang: () => new Promise<never>(() => undefined),
    },
    streaming: {
      /** Answers each message with itself, and ends when the client does. */
      Each: (call) => {
        call.onMessage((request) => call.write(request));
        call.onHalfClose(() => call.end());
      },
      /** Leaves the call to the test. */
      Collect: (call) => seen.streams.push(call),
      /** Ends with an error behind one answer. */
      AnswerThenFail: (call) => {
        call.write(Buffer.from('one'));
        call.end(etcdErrors.noLeader());
      },
      Throw: () => {
        throw new Error('a secret of ours');
      },
    },
  };
}

function* pieces(count: number, seen: Seen): Generator<Buffer> {
  for (let i = 0; i < count; i++) {
    seen.pieces++;
    yield Buffer.alloc(echoPieceBytes, String.fromCharCode(97 + (i % 26)));
  }
}

export interface EchoServer {
  server: GrpcServer;
  port: number;
  seen: Seen;
}

/** Serves on a free port of 127.0.0.1. */
export async function startEchoServer(options: Partial<GrpcServerOptions> = {}): Promise<EchoServer> {
  const seen: Seen = { handled: [], faults: [], streams: [], pieces: 0, receivedBytes: 0 };
  const server = new GrpcServer([echoService(seen)], {
    maxMessageBytes: echoBytesMax,
    observer: {
      started: () => undefined,
      handled: ({ method }, code) => seen.handled.push(`${method} ${code}`),
      received: (_method, bytes) => {
        seen.receivedBytes += bytes;
      },
      sent: () => undefined,
    },
    onFault: (method, error) => seen.faults.push(`${method}: ${error.message}`),
    ...options,
  });
  const port = await freePort();
  await server.listen({ host: '127.0.0.1', port });
  return { server, port, seen };
}

/** A client that speaks bare HTTP/2, for what a gRPC library never sends. */
export class BareClient {
  readonly session: ClientHttp2Session;

  constructor(port: number, settings: { initialWindowSize?: number } = {}) {
    this.session = connect(`http://127.0.0.1:${port}`, { settings });
    this.session.on('error', () => undefined);
  }

  close(): void {
    this.session.destroy();
  }

  /** Resolves when the server has read what was sent before. */
  async arrived(): Promise<void> {
    if (this.session.connecting) await once(this.session, 'connect');
    await new Promise<void>((resolve) => this.session.ping(() => resolve()));
  }

  open(method: string, headers: Record<string, string> = {}): ClientHttp2Stream {
    const stream = this.session.request({
      ':method': 'POST',
      ':path': `/test.Echo/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => undefined);
    return stream;
  }

  /** Sends bytes as they are, ends the call and returns all that is answered. */
  async send(method: string, bytes: Uint8Array, headers: Record<string, string> = {}): Promise<BareAnswer> {
    const stream = this.open(method, headers);
    const answer = answerOf(stream);
    stream.end(bytes);
    return answer;
  }
}

export interface BareAnswer {
  httpStatus: number | undefined;
  headers: Record<string, unknown>;
  /** From the trailers, or from the headers where there is nothing else. */
  code: string | undefined;
  text: string | undefined;
  messages: string[];
}

/** Reads a call to its end. */
export async function answerOf(stream: ClientHttp2Stream): Promise<BareAnswer> {
  const reader = new MessageReader(2 ** 31);
  const messages: string[] = [];
  let headers: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  stream.on('response', (received) => {
    headers = received;
  });
  stream.on('trailers', (received) => {
    trailers = received;
  });
  stream.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk)) messages.push(message.toString());
  });
  await once(stream, 'close');
  const outcome: Record<string, unknown> = { ...headers, ...trailers };
  return {
    httpStatus: headers[':status'] as number | undefined,
    headers,
    code: outcome['grpc-status'] as string | undefined,
    text: outcome['grpc-message'] as string | undefined,
    messages,
  };
}

/** A message as it is sent. */
export const framed = (text: string): Buffer => frame(Buffer.from(text));
