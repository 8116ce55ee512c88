import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { impairedDefaults } from '../../../shared/mutation/default-lists.ts';
import type { NodeState } from '../../../shared/node.ts';
import { putRequest } from '../etcd/messages.ts';
import type { CurrentState } from '../state/service.ts';
import { Store } from '../store/store.ts';
import { enforce } from './enforce.ts';

const sinceMs = Date.now() - 42_500;
const current: CurrentState = {
  state: 'Impaired',
  reason: 'local-failure',
  text: 'no CNI configuration since 12:03:11Z',
  sinceMs,
  reasonSinceMs: sinceMs,
  warnings: [],
  peer: { node: 'node-b', state: 'LeaderRX', reason: 'peer-impaired', heard: true, age_ms: 90 },
  clockOffsetMs: 0,
};
const rules = impairedDefaults('node-a').flatMap(({ name, rules }) =>
  rules.map((rule) => ({ rule, builtIn: true, origin: name })),
);
const lists = { approvedMutationList: rules, impairedMutationList: rules };

/** What the shim says of a Put, and what it counted. */
function put(key: string, state: NodeState = 'Impaired', change: Partial<CurrentState> = {}) {
  const judged: string[] = [];
  const onJudged = (in_: NodeState, { resource }: { resource: string }, allowed: boolean) =>
    void judged.push(`${in_} ${resource} ${allowed}`);
  const request = Buffer.from(putRequest.encode({ key, value: Buffer.from('x') }));
  let refusal = '';
  try {
    const write = { method: 'Put', request, store: new Store() } as const;
    enforce({ lists, node: 'node-a', onJudged }, state, { ...current, ...change }, write);
  } catch (error) {
    refusal = (error as Error).message;
  }
  return { refusal, judged };
}

const election = '/registry/leases/kube-system/kube-controller-manager';

test('an Impaired node renews no election beside a LeaderRX peer', () => {
  assert.equal(put(election), {
    refusal: `twonode: Impaired: write to ${election} refused: leader election is on node-b; no CNI configuration 42s`,
    judged: ['Impaired leases false'],
  });
});

test('what keeps its own kubelet and kube-apiserver alive goes on', () => {
  const own = [
    '/registry/leases/kube-node-lease/node-a',
    '/registry/leases/kube-system/apiserver-x',
    '/registry/masterleases/10.0.0.1',
  ];
  for (const key of own) assert.is(put(key).refusal, '', key);
});

test('elections stay where the peer does not lead, and what it passes on is its own', () => {
  assert.is(put(election, 'Impaired', { peer: { ...current.peer, state: 'Leader' } }).refusal, '');
  assert.is(put(election, 'Impaired', { peer: { ...current.peer, heard: false } }).refusal, '');
  assert.is(put(election, 'LeaderRX').refusal, '');
});

test.run();
