import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EtcdError } from '../errors.ts';
import { httpRefusal, timeoutOf, unknownMethod } from './request.ts';
import { status } from './status.ts';

const test = suite('gRPC requests');
const grpc = { ':method': 'POST', 'content-type': 'application/grpc' };

test('what is no gRPC request gets an HTTP status', () => {
  assert.is(httpRefusal(grpc), null);
  assert.is(httpRefusal({ ...grpc, 'content-type': 'application/grpc+proto' }), null);
  assert.is(httpRefusal({ ...grpc, 'content-type': 'application/grpc;v=1' }), null);
  assert.is(httpRefusal({ ...grpc, 'content-type': 'application/grpc-web' }), 415);
  assert.is(httpRefusal({ ...grpc, 'content-type': 'application/json' }), 415);
  assert.is(httpRefusal({ ':method': 'POST' }), 415);
  assert.is(httpRefusal({ ...grpc, ':method': 'GET' }), 405);
});

const codeOf = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    if (error instanceof EtcdError) return error.code;
  }
  return null;
};

test('a timeout may be given, and must be one', () => {
  assert.is(timeoutOf(grpc), undefined);
  assert.is(timeoutOf({ ...grpc, 'grpc-timeout': '5S' }), 5_000);
  assert.is(
    codeOf(() => timeoutOf({ ...grpc, 'grpc-timeout': 'soon' })),
    status.INTERNAL,
  );
});

test('a client that compresses is refused', () => {
  assert.is(timeoutOf({ ...grpc, 'grpc-encoding': 'identity' }), undefined);
  assert.is(
    codeOf(() => timeoutOf({ ...grpc, 'grpc-encoding': 'gzip' })),
    status.UNIMPLEMENTED,
  );
});

test('an unknown path is told apart as etcd does', () => {
  const services = new Set(['etcdserverpb.KV']);
  const text = (path: string) => unknownMethod(path, services).message;
  assert.is(text('/etcdserverpb.KV/Nothing'), 'unknown method Nothing for service etcdserverpb.KV');
  assert.is(text('/v3lockpb.Lock/Lock'), 'unknown service v3lockpb.Lock');
  assert.is(text('nothing'), 'malformed method name: "nothing"');
});

test.run();
