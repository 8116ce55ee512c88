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
import type { Service, StreamCall, Streaming, Unary } from './transport.ts';

export interface GrpcServerOptions {
  /** Largest message that is taken, in bytes. */
  maxMessageBytes: number;
  credentials?: ServerCredentials;
  /** Called when a call has been answered. */
  onHandled: (service: string, method: string, code: status) => void;
  /** Called with what no caller should see: a fault of ours. */
  onFault: (method: string, error: Error) => void;
}

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
    for (const [method, handler] of Object.entries(service.unary)) {
      definition[method] = methodDefinition(service.name, method, false);
      implementation[method] = unaryHandler(service.name, method, handler, options);
    }
    for (const [method, handler] of Object.entries(service.streaming)) {
      definition[method] = methodDefinition(service.name, method, true);
      implementation[method] = streamingHandler(service.name, method, handler, options);
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

function methodDefinition(service: string, method: string, stream: boolean): ServiceDefinition[string] {
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
  service: string,
  method: string,
  handler: Unary,
  { onHandled, onFault }: GrpcServerOptions,
): handleUnaryCall<Buffer, Uint8Array> {
  return (call, callback) => {
    // A handler may throw before it returns a promise; both ways are one here.
    Promise.resolve()
      .then(() => handler(call.request))
      .then(
        (response) => {
          onHandled(service, method, status.OK);
          callback(null, response);
        },
        (error: Error) => {
          const answer = statusOf(error, method, onFault);
          onHandled(service, method, answer.code);
          callback(answer);
        },
      );
  };
}

function streamingHandler(
  service: string,
  method: string,
  handler: Streaming,
  { onHandled, onFault }: GrpcServerOptions,
): handleBidiStreamingCall<Buffer, Uint8Array> {
  return (call) => {
    let code = status.OK;
    let closed = false;
    const close = new Set<() => void>();
    const onClose = () => {
      if (closed) return;
      closed = true;
      onHandled(service, method, call.cancelled ? status.CANCELLED : code);
      for (const listener of close) listener();
    };
    call.on('close', onClose);
    call.on('cancelled', onClose);
    call.on('error', onClose);
    handler(
      streamCall(call, {
        onClose: (listener) => close.add(listener),
        isClosed: () => closed,
        end: (error) => {
          if (closed) return;
          if (error) {
            const answer = statusOf(error, method, onFault);
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

function streamCall(
  call: ServerDuplexStream<Buffer, Uint8Array>,
  life: { onClose: (listener: () => void) => void; isClosed: () => boolean; end: (error?: Error) => void },
): StreamCall {
  let unsentBytes = 0;
  const drained = new Set<() => void>();
  return {
    onMessage: (listener) => {
      call.on('data', (request: Buffer) => {
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
