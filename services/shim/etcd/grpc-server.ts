import {
  type handleBidiStreamingCall,
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { WireError } from '../protobuf/wire.ts';
import { EtcdError, malformed } from './errors.ts';
import type { Metadata as MetadataLookUp, Service, StreamCall, Streaming, Unary } from './transport.ts';

export interface GrpcServerOptions {
  /** Largest message that is taken, in bytes. */
  maxMessageBytes: number;
  credentials?: ServerCredentials;
  observer: CallObserver;
  /** Called with what no caller should see: a fault of ours. */
  onFault: (method: string, error: Error) => void;
}

/** One method of a service, and how its messages go: etcd's metrics have all three as labels. */
export interface Method {
  service: string;
  method: string;
  type: 'unary' | 'bidi_stream';
}

/** Hears of each call and each message. Sizes are in bytes. */
export interface CallObserver {
  started(method: Method): void;
  handled(method: Method, code: status): void;
  received(method: Method, bytes: number): void;
  sent(method: Method, bytes: number): void;
}

/** Hears nothing. */
export const noObserver: CallObserver = {
  started: () => undefined,
  handled: () => undefined,
  received: () => undefined,
  sent: () => undefined,
};

const identity = (bytes: Buffer) => bytes;

/** Serves the calls over gRPC. */
export function createGrpcServer(services: Service[], options: GrpcServerOptions): Server {
  const server = new Server({
    'grpc.max_receive_message_length': options.maxMessageBytes,
    'grpc.max_send_message_length': -1,
    'grpc.max_concurrent_streams': 2 ** 31 - 1,
    // Each of the apiserver's hundreds of connections would be traced otherwise.
    'grpc.enable_channelz': 0,
  });
  for (const service of services) {
    const definition: Record<string, ServiceDefinition[string]> = {};
    const implementation: UntypedServiceImplementation = {};
    for (const [name, handler] of Object.entries(service.unary)) {
      const method: Method = { service: service.name, method: name, type: 'unary' };
      definition[name] = methodDefinition(method);
      implementation[name] = unaryHandler(method, handler, options);
    }
    for (const [name, handler] of Object.entries(service.streaming)) {
      const method: Method = { service: service.name, method: name, type: 'bidi_stream' };
      definition[name] = methodDefinition(method);
      implementation[name] = streamingHandler(method, handler, options);
    }
    server.addService(definition, implementation);
  }
  return server;
}

/**
 * Listens on `host:port` or `unix:path`.
 * @throws Error when the address is in use
 */
export function listen(server: Server, address: string, credentials = ServerCredentials.createInsecure()) {
  return new Promise<void>((resolve, reject) => {
    server.bindAsync(address, credentials, (error) => (error ? reject(error) : resolve()));
  });
}

function methodDefinition({ service, method, type }: Method): ServiceDefinition[string] {
  const stream = type === 'bidi_stream';
  return {
    path: `/${service}/${method}`,
    requestStream: stream,
    responseStream: stream,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    responseDeserialize: identity,
  };
}

function unaryHandler(
  method: Method,
  handler: Unary,
  { observer, onFault }: GrpcServerOptions,
): handleUnaryCall<Buffer, Uint8Array> {
  return (call, callback) => {
    observer.started(method);
    observer.received(method, call.request.length);
    // A handler may throw before it returns a promise; both ways are one here.
    Promise.resolve()
      .then(() => handler(call.request, lookUp(call.metadata)))
      .then(
        (response) => {
          observer.sent(method, response.length);
          observer.handled(method, status.OK);
          callback(null, response);
        },
        (error: Error) => {
          const answer = statusOf(error, method.method, onFault);
          observer.handled(method, answer.code);
          callback(answer);
        },
      );
  };
}

function lookUp(metadata: Metadata): MetadataLookUp {
  return (name) => metadata.get(name)[0]?.toString();
}

function streamingHandler(
  method: Method,
  handler: Streaming,
  { observer, onFault }: GrpcServerOptions,
): handleBidiStreamingCall<Buffer, Uint8Array> {
  return (call) => {
    observer.started(method);
    let code = status.OK;
    let closed = false;
    const close = new Set<() => void>();
    const onClose = () => {
      if (closed) return;
      closed = true;
      observer.handled(method, call.cancelled ? status.CANCELLED : code);
      for (const listener of close) listener();
    };
    call.on('close', onClose);
    call.on('cancelled', onClose);
    call.on('error', onClose);
    handler(
      streamCall(call, {
        onReceived: (bytes) => observer.received(method, bytes),
        onSent: (bytes) => observer.sent(method, bytes),
        onClose: (listener) => close.add(listener),
        isClosed: () => closed,
        end: (error) => {
          if (closed) return;
          if (error) {
            const answer = statusOf(error, method.method, onFault);
            code = answer.code;
            call.emit('error', answer);
          } else {
            call.end();
          }
        },
      }),
    );
  };
}

interface CallLife {
  onReceived: (bytes: number) => void;
  onSent: (bytes: number) => void;
  onClose: (listener: () => void) => void;
  isClosed: () => boolean;
  end: (error?: Error) => void;
}

function streamCall(call: ServerDuplexStream<Buffer, Uint8Array>, life: CallLife): StreamCall {
  let unsentBytes = 0;
  const drained = new Set<() => void>();
  return {
    metadata: lookUp(call.metadata),
    onMessage: (listener) => {
      call.on('data', (request: Buffer) => {
        life.onReceived(request.length);
        try {
          listener(request);
        } catch (error) {
          life.end(error as Error);
        }
      });
    },
    onHalfClose: (listener) => call.on('end', listener),
    onClose: life.onClose,
    onDrain: (listener) => drained.add(listener),
    write: (response) => {
      if (life.isClosed()) return;
      life.onSent(response.length);
      unsentBytes += response.length;
      call.write(response, () => {
        unsentBytes -= response.length;
        if (unsentBytes === 0) for (const listener of drained) listener();
      });
    },
    get unsentBytes() {
      return unsentBytes;
    },
    end: life.end,
  };
}

/** What the client is told. A fault of ours is logged and told as such. */
function statusOf(
  error: Error,
  method: string,
  onFault: GrpcServerOptions['onFault'],
): { code: status; details: string; metadata?: Metadata } {
  if (error instanceof EtcdError) return { code: error.code, details: error.message };
  if (error instanceof WireError) {
    const answer = malformed(error.message);
    return { code: answer.code, details: answer.message };
  }
  onFault(method, error);
  return { code: status.INTERNAL, details: `twonode: ${method}: internal error` };
}
