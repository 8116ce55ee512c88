import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Writer } from '../protobuf/wire.ts';
import { isRoutine } from './routine.ts';

const test = suite('routine conflicts');

/** A Pod or Node as kube-apiserver stores it: `k8s\0`, runtime.Unknown {raw = 2}, object {metadata = 1, spec = 2, status = 3}. */
function object(spec: string, status: string, metadata: Buffer = named('web')): Buffer {
  const writer = new Writer();
  writer.raw(Buffer.from('k8s\0'));
  writer.byte(0x12);
  writer.nested(() => {
    for (const [tag, text] of [
      [0x0a, metadata],
      [0x12, spec],
      [0x1a, status],
    ] as const) {
      writer.byte(tag);
      writer.bytes(Buffer.from(text));
    }
  });
  return Buffer.from(writer.finish());
}
/** ObjectMeta {name = 1, labels = 11, managedFields = 17}. */
function named(name: string, { label = '', managed = '' } = {}): Buffer {
  const writer = new Writer();
  for (const [tag, text] of [
    [0x0a, name],
    [0x5a, label],
    [17 * 8 + 2, managed],
  ] as const) {
    writer.varint(tag);
    writer.bytes(Buffer.from(text));
  }
  return Buffer.from(writer.finish());
}
const json = (spec: unknown, status: string) => Buffer.from(JSON.stringify({ spec, status }));

test('the status of nodes and pods is routine, their spec is not', () => {
  for (const key of ['/registry/pods/default/web', '/registry/minions/node-a']) {
    assert.ok(isRoutine(key, object('spec', 'ready'), object('spec', 'not ready')), key);
    assert.not(isRoutine(key, object('spec', 'ready'), object('cordoned', 'ready')), key);
    assert.ok(isRoutine(key, json({ a: 1 }, 'ready'), json({ a: 1 }, 'not ready')), key);
    assert.not(isRoutine(key, json({ a: 1 }, ''), json({ a: 2 }, '')), key);
  }
});

test('labels are not routine; which field was written when is', () => {
  const key = '/registry/minions/node-a';
  const plain = object('spec', 'ready', named('node-a'));
  assert.not(isRoutine(key, plain, object('spec', 'ready', named('node-a', { label: 'by=me' }))));
  assert.ok(isRoutine(key, plain, object('spec', 'ready', named('node-a', { managed: 'kubelet' }))));
});

test('a deletion of a pod is not, nor what cannot be read', () => {
  const key = '/registry/pods/default/web';
  assert.not(isRoutine(key, object('spec', 'ready'), null));
  assert.not(isRoutine(key, null, object('spec', 'ready')));
  const sealed = Buffer.from('k8s:enc:aescbc:v1:key1:xyz');
  assert.not(isRoutine(key, sealed, sealed));
  assert.not(isRoutine(key, Buffer.from('k8s\0\x12\xff', 'latin1'), Buffer.from('k8s\0')));
});

test('endpoints and endpoint slices are, all else is not', () => {
  assert.ok(isRoutine('/registry/services/endpoints/default/web', Buffer.from('a'), null));
  assert.ok(isRoutine('/registry/endpointslices/default/web-x', Buffer.from('a'), Buffer.from('b')));
  assert.not(isRoutine('/registry/configmaps/default/web', object('s', 'a'), object('s', 'b')));
  assert.not(isRoutine('/registry/example.com/endpoints/default/web', Buffer.from('a'), Buffer.from('b')));
  assert.not(isRoutine('/registry/metrics.example.com/pods/default/web', json(1, 'a'), json(1, 'b')));
});

test.run();
