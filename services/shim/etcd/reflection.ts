import { fileURLToPath } from 'node:url';
import { enumeration, message, optional, repeated, repeatedStrings, string } from '../protobuf/message.ts';
import type { Service, Streaming } from './transport.ts';

/** etcd's and gRPC's .proto files. Compiled or not, they are where the sources are. */
export const protoFolder = fileURLToPath(new URL('../../../../services/shim/etcd/proto', import.meta.url));

/**
 * gRPC server reflection (grpc/reflection/v1/reflection.proto): tools such as grpcurl ask it for the services and their
 * messages. The .proto files are read when somebody asks for the first time.
 */
export function reflection(): Service[] {
  return ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'].map((name) => ({
    name,
    unary: {},
    streaming: { ServerReflectionInfo: serverReflectionInfo },
  }));
}

export const reflectionRequest = message({
  host: string(1),
  fileByFilename: string(3),
  fileContainingSymbol: string(4),
  listServices: string(7),
});
/** Descriptors are bytes; as latin1 text they pass unchanged. */
const fileDescriptors = message({ fileDescriptorProto: repeatedStrings(1, 'latin1') });
const serviceList = message({ service: repeated(1, message({ name: string(1) })) });
export const reflectionResponse = message({
  validHost: string(1),
  originalRequest: optional(2, reflectionRequest),
  fileDescriptorResponse: optional(4, fileDescriptors),
  listServicesResponse: optional(6, serviceList),
  errorResponse: optional(7, message({ errorCode: enumeration(1), errorMessage: string(2) })),
});

const notFound = { errorCode: 5, errorMessage: 'twonode: not found' };

const serverReflectionInfo: Streaming = (call) => {
  let queue = Promise.resolve();
  call.onMessage((bytes) => {
    const request = reflectionRequest.decode(bytes);
    queue = queue
      .then(() => answer(request))
      .then((response) => call.write(response))
      .catch((error: Error) => call.end(error));
  });
  call.onHalfClose(() => {
    queue = queue.then(() => call.end());
  });
};

async function answer(request: ReturnType<typeof reflectionRequest.decode>): Promise<Buffer> {
  const { services, files, fileOf } = await loadDescriptors();
  const base = { validHost: request.host, originalRequest: request };
  if (request.listServices !== '') {
    const service = services.map((name) => ({ name }));
    return reflectionResponse.encode({ ...base, listServicesResponse: { service } });
  }
  const file = request.fileByFilename || fileOf(request.fileContainingSymbol);
  const descriptor = file === undefined ? undefined : files.get(file);
  if (!descriptor) return reflectionResponse.encode({ ...base, errorResponse: notFound });
  const fileDescriptorProto = [descriptor.toString('latin1')];
  return reflectionResponse.encode({ ...base, fileDescriptorResponse: { fileDescriptorProto } });
}

interface Descriptors {
  services: string[];
  /** Encoded FileDescriptorProtos by their names: `etcdserverpb.proto` for the package of that name. */
  files: Map<string, Buffer>;
  /** The file that holds a service, a method of one, or a message. */
  fileOf(symbol: string): string | undefined;
}

let loaded: Promise<Descriptors> | undefined;

function loadDescriptors(): Promise<Descriptors> {
  loaded ??= load();
  return loaded;
}

/** Name and imports of a FileDescriptorProto (google/protobuf/descriptor.proto). */
const fileDescriptor = message({ name: string(1), dependency: repeatedStrings(3) });
/** The loader leaves out which file needs which. */
const imports: Record<string, string[]> = { 'etcdserverpb.proto': ['mvccpb.proto'] };

async function load(): Promise<Descriptors> {
  const { load: loadProto } = await import('@grpc/proto-loader');
  const definitions = await loadProto(['rpc.proto', 'health.proto'], {
    includeDirs: [protoFolder],
    keepCase: true,
  });
  const services: string[] = [];
  const files = new Map<string, Buffer>();
  for (const [symbol, definition] of Object.entries(definitions)) {
    if (!('fileDescriptorProtos' in definition)) {
      services.push(symbol);
      continue;
    }
    for (const bytes of definition.fileDescriptorProtos as Buffer[]) {
      const { name } = fileDescriptor.decode(bytes);
      // Fields may follow in any order.
      files.set(name, Buffer.concat([bytes, fileDescriptor.encode({ dependency: imports[name] ?? [] })]));
    }
  }
  const fileOf = (symbol: string) =>
    [...files.keys()].find((name) => symbol.startsWith(name.replace(/proto$/, '')));
  return { services, files, fileOf };
}
