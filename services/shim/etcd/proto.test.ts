import { load } from '@grpc/proto-loader';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Codec, Field } from '../protobuf/message.ts';
import { health } from './health.ts';
import * as messages from './messages.ts';
import { protoFolder, reflection, reflectionRequest, reflectionResponse } from './reflection.ts';
import type { Service, StreamCall } from './transport.ts';

/** The codecs beside etcd's own .proto files. */
const test = suite('messages of etcd');

interface ProtoField {
  name: string;
  number: number;
  type: string;
  label: string;
}

async function protoMessages(): Promise<Map<string, ProtoField[]>> {
  const definitions = await load(['rpc.proto', 'health.proto'], {
    includeDirs: [protoFolder],
    keepCase: true,
  });
  const found = new Map<string, ProtoField[]>();
  for (const [name, definition] of Object.entries(definitions)) {
    const { field } = (definition as { type?: { field?: ProtoField[] } }).type ?? {};
    if (field) found.set(name.slice(name.lastIndexOf('.') + 1).toLowerCase(), field);
  }
  return found;
}

/** `watch_id`, `peerURLs` and `watchId` are one name. */
const plain = (name: string) => name.replace(/_/g, '').toLowerCase();

const lengthDelimited = new Set(['TYPE_BYTES', 'TYPE_STRING', 'TYPE_MESSAGE']);

test('every field has the name, the number and the wire type of etcd', async () => {
  const protos = await protoMessages();
  let checked = 0;
  for (const [name, codec] of Object.entries(messages) as [string, Codec<unknown>][]) {
    // Beside the codecs there are enums.
    if (typeof codec.decode !== 'function') continue;
    const proto = protos.get(plain(name));
    assert.ok(proto, `${name} is a message`);
    for (const [fieldName, { number, type }] of Object.entries(codec.fields) as [string, Field<unknown>][]) {
      const field = proto.find((candidate) => candidate.number === number);
      assert.ok(field, `${name} has a field ${number}`);
      assert.is(plain(field.name), plain(fieldName), `${name}: name of field ${number}`);
      const isDelimited = lengthDelimited.has(field.type) || field.label === 'LABEL_REPEATED';
      assert.is(type.wireType, isDelimited ? 2 : 0, `${name}.${fieldName}: wire type`);
      checked++;
    }
  }
  assert.ok(checked > 100);
});

/** Sends messages over a stream of a service, and returns its answers. */
async function exchange(service: Service, method: string, requests: Buffer[], answers: number) {
  const written: Buffer[] = [];
  let close: () => void = () => undefined;
  await new Promise<void>((resolve, reject) => {
    const call = {
      onMessage: (handler: (bytes: Buffer) => void) => {
        for (const request of requests) handler(request);
      },
      onHalfClose: () => undefined,
      onClose: (handler: () => void) => {
        close = handler;
      },
      write: (bytes: Buffer) => {
        written.push(bytes);
        if (written.length === answers) resolve();
      },
      end: (error?: Error) => reject(error),
    } as unknown as StreamCall;
    service.streaming[method]?.(call);
  });
  close();
  return written;
}

test('reflection lists the services and describes them', async () => {
  const asked = [
    { listServices: '*' },
    { fileContainingSymbol: 'etcdserverpb.KV' },
    { fileContainingSymbol: 'etcdserverpb.KV.Range' },
    { fileByFilename: 'mvccpb.proto' },
    { fileContainingSymbol: 'v3lockpb.Lock' },
  ];
  const requests = asked.map((request) => reflectionRequest.encode(request));
  const [service] = reflection() as [Service];
  const written = await exchange(service, 'ServerReflectionInfo', requests, requests.length);
  const [list, kv, range, mvcc, none] = written.map((bytes) => reflectionResponse.decode(bytes));
  const names = list?.listServicesResponse?.service.map(({ name }) => name);
  const etcd = ['KV', 'Watch', 'Lease', 'Cluster', 'Maintenance'].map((name) => `etcdserverpb.${name}`);
  assert.equal(names?.sort(), [...etcd, 'grpc.health.v1.Health'].sort());
  const [file] = kv?.fileDescriptorResponse?.fileDescriptorProto ?? [];
  assert.match(file ?? '', 'RangeRequest');
  assert.match(file ?? '', 'mvccpb.proto');
  assert.equal(range?.fileDescriptorResponse, kv?.fileDescriptorResponse);
  assert.match(mvcc?.fileDescriptorResponse?.fileDescriptorProto[0] ?? '', 'create_revision');
  assert.is(none?.errorResponse?.errorCode, 5);
});

test('a health watch tells the status at once', async () => {
  const backend = { linearizable: () => Promise.resolve() } as Parameters<typeof health>[0];
  const [answer] = await exchange(health(backend), 'Watch', [Buffer.alloc(0)], 1);
  assert.is(messages.healthCheckResponse.decode(answer as Buffer).status, 1);
});

test.run();
