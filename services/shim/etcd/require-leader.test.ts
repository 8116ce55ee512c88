import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { ClusterView } from '../backend.ts';
import { requireLeader } from './require-leader.ts';
import type { Service, StreamCall } from './transport.ts';

const test = suite('calls that require a leader');

function setUp() {
  let leader = 1n;
  let handled = 0;
  const service: Service = {
    name: 'etcdserverpb.Watch',
    unary: { Call: async () => Buffer.from('answer') },
    streaming: { Watch: () => handled++ },
  };
  const timers: (() => void)[] = [];
  const cluster = { leaderId: () => leader } as ClusterView;
  const [wrapped] = requireLeader([service], cluster, (look) => timers.push(look));
  return {
    service: wrapped as Service,
    setLeader: (id: bigint) => {
      leader = id;
    },
    look: () => {
      for (const look of timers) look();
    },
    handled: () => handled,
  };
}

function stream(metadata: Record<string, string>) {
  const ended: (string | undefined)[] = [];
  const call = {
    metadata: (name: string) => metadata[name],
    onClose: () => undefined,
    end: (error?: Error) => ended.push(error?.message),
  } as unknown as StreamCall;
  return { call, ended };
}

const wanting = { hasleader: 'true' };

test('without a leader calls that want one are refused, others are not', async () => {
  const { service, setLeader, handled } = setUp();
  setLeader(0n);
  assert.throws(
    () => service.unary.Call?.(Buffer.alloc(0), (name) => wanting[name as 'hasleader']),
    /no leader/,
  );
  assert.is((await service.unary.Call?.(Buffer.alloc(0), () => undefined))?.toString(), 'answer');
  const refused = stream(wanting);
  service.streaming.Watch?.(refused.call);
  assert.equal(refused.ended, ['etcdserver: no leader']);
  service.streaming.Watch?.(stream({}).call);
  assert.is(handled(), 1);
});

test('streams end after three looks without a leader', () => {
  const { service, setLeader, look } = setUp();
  const wants = stream(wanting);
  const any = stream({});
  service.streaming.Watch?.(wants.call);
  service.streaming.Watch?.(any.call);
  setLeader(0n);
  look();
  look();
  setLeader(1n);
  look();
  setLeader(0n);
  look();
  look();
  assert.equal(wants.ended, []);
  look();
  assert.equal(wants.ended, ['etcdserver: no leader']);
  assert.equal(any.ended, []);
});

test.run();
