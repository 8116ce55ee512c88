import {
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { ListenOptions, Socket } from 'node:net';
import { etcdErrors } from '../errors.ts';
import type { Service, StreamCall } from '../transport.ts';
import { keepAlive, keepalive } from './keepalive.ts';
import { httpRefusal, timeoutOf, unknownMethod } from './request.ts';
import { refuse, refuseHttp } from './response.ts';
import { type CallOptions, outcomeOf, type ServeCall } from './serve-call.ts';
import { serveStreaming } from './stream-call.ts';
import { serveUnary } from './unary-call.ts';

/** Certificate, key and CA in PEM, and whether clients must show a certificate of that CA. */
export interface TlsOptions {
  cert: Buffer;
  key: Buffer;
  ca: Buffer | undefined;
  requestCert: boolean;
}

/** Bytes that a client may send ahead of being read, for one call and for all of a connection. */
const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 4 * 1024 * 1024;
/** As many calls at a time on one connection as the client likes, as with etcd: each watch of the apiserver is one. */
const maxConcurrentStreams = 2 ** 32 - 1;
/** What HTTP/2 itself may hold for one connection, in MB; above it, calls are refused. */
const maxSessionMemory = 256;

const http2Options = {
  settings: { initialWindowSize: streamWindowBytes, maxConcurrentStreams },
  maxSessionMemory,
  noDelay: true,
};

export interface GrpcServerOptions extends CallOptions {
  /** How often clients are pinged, and how long they have to answer, in ms; etcd's defaults when it is not given. */
  keepalive?: { intervalMs: number; timeoutMs: number };
}

/** Serves calls over gRPC on HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md), with TLS or without. */
export class GrpcServer {
  readonly #methods = new Map<string, ServeCall>();
  readonly #services: ReadonlySet<string>;
  readonly #options: GrpcServerOptions;
  readonly #listeners: Http2Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  readonly #streamCalls = new Set<StreamCall>();

  constructor(services: Service[], options: GrpcServerOptions) {
    this.#services = new Set(services.map(({ name }) => name));
    this.#options = options;
    for (const { name: service, unary, streaming } of services) {
      for (const [method, handler] of Object.entries(unary))
        this.#add(service, method, serveUnary({ service, method, type: 'unary' }, handler, options));
      for (const [method, handler] of Object.entries(streaming)) {
        const labels = { service, method, type: 'bidi_stream' } as const;
        this.#add(service, method, serveStreaming(labels, handler, this.#streamCalls, options));
      }
    }
  }

  #add(service: string, method: string, serve: ServeCall): void {
    this.#methods.set(`/${service}/${method}`, serve);
  }

  /**
   * Listens on a host and port or on a socket's path.
   * @throws Error when it cannot, such as for an address in use
   */
  listen(
    address: Pick<ListenOptions, 'host' | 'port' | 'path'>,
    tls: TlsOptions | null = null,
  ): Promise<void> {
    const server = tls ? createSecureServer({ ...http2Options, ...tls }) : createServer(http2Options);
    this.#listeners.push(server);
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('session', (session) => this.#serveSession(session));
    server.on('stream', (stream, headers) => this.#serveStream(stream, headers));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(address, () => {
        server.off('error', reject);
        server.on('error', (error) => this.#options.onFault('accept', error));
        resolve();
      });
    });
  }

  /**
   * Takes no more connections and calls (GOAWAY), ends streams as etcd does when it stops, and lets other calls finish;
   * what is not over within `limitMs` is cut off.
   */
  async stop(limitMs: number): Promise<void> {
    const closed = this.#listeners.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const call of [...this.#streamCalls]) call.end(etcdErrors.stopped());
    for (const session of [...this.#sessions]) session.close();
    const limit = setTimeout(() => {
      // Not the sessions: a connection within its TLS handshake has none yet.
      for (const socket of this.#sockets) socket.destroy();
    }, limitMs);
    await Promise.all(closed);
    clearTimeout(limit);
  }

  #serveSession(session: ServerHttp2Session): void {
    this.#sessions.add(session);
    session.on('close', () => this.#sessions.delete(session));
    // A client that breaks the protocol or its connection ends the session: nothing more is to be done.
    session.on('error', () => undefined);
    session.setLocalWindowSize(connectionWindowBytes);
    keepAlive(session, this.#options.keepalive ?? keepalive);
  }

  #serveStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // The client has reset the call: 'close' follows, which the call listens for.
    stream.on('error', ignore);
    const httpStatus = httpRefusal(headers);
    if (httpStatus !== null) {
      refuseHttp(stream, httpStatus);
      return;
    }
    try {
      const timeoutMs = timeoutOf(headers);
      this.#methodAt(headers[':path'] ?? '')(stream, headers, timeoutMs);
    } catch (error) {
      refuse(stream, outcomeOf(error as Error, headers[':path'] ?? '', this.#options.onFault));
    }
  }

  #methodAt(path: string): ServeCall {
    const serve = this.#methods.get(path);
    if (!serve) throw unknownMethod(path, this.#services);
    return serve;
  }
}

function ignore(): void {}
