import { readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StateMessage } from '../../shared/messages.ts';
import { type GuardedApiserver, node, startGuardedApiserver } from './guarded-apiserver.ts';

// What kubectl prints in each state, for every way of writing, against a golden file. To write the file anew:
// UPDATE_GOLDEN=1 node dist/test/e2e/webhook.test.js, then read it.

const test = suite<{ apiserver: GuardedApiserver }>('what kubectl prints before a restricted node');
const golden = new URL('../../../test/e2e/testdata/refusals.txt', import.meta.url);

const restrictedLeader: Partial<StateMessage> = {
  state: 'LeaderRX',
  reason: 'peer-down',
  text: 'node-a unreachable since 12:03:11Z',
};
const impaired: Partial<StateMessage> = {
  state: 'Impaired',
  reason: 'local-failure',
  text: 'eth0: carrier lost since 12:03:11Z',
  peer: { node: 'node-a', state: 'Leader', reason: null, heard: true, age_ms: 20 },
};

function message(change: Partial<StateMessage>): StateMessage {
  const since = new Date().toISOString();
  return {
    v: 1,
    node,
    role: 'follower',
    state: 'Follower',
    since,
    reason_since: since,
    reason: null,
    text: '',
    warnings: [],
    epoch: 1,
    revision: 1,
    peer: { node: 'node-a', state: 'Impaired', reason: null, heard: false, age_ms: null },
    seq: 1,
    ttl_ms: 60_000,
    ...change,
  };
}

const json = (kind: string, name: string, more: object = {}, apiVersion = 'v1') =>
  JSON.stringify({ apiVersion, kind, metadata: { name }, ...more });
const configMap = json('ConfigMap', 'x', { data: { a: 'c' } });
const pod = json('Pod', 'p', { spec: { nodeName: 'node-x', containers: [{ name: 'c', image: 'x' }] } });

/** What must be there before, written while nothing is restricted. */
const before: [args: string, input?: string][] = [
  ['create serviceaccount default'],
  ['create deployment web --image=x'],
  ['create configmap x --from-literal=a=b'],
  ['create -f -', json('Node', 'node-x')],
  ['create -f -', pod],
];

/** Every way of writing that kubectl has. */
const commands: [args: string, input?: string][] = [
  ['create configmap y --from-literal=a=b'],
  ['create configmap y --from-literal=a=b --dry-run=server'],
  ['create -f -', json('ConfigMap', 'y')],
  ['create configmap allowed --from-literal=a=b'],
  ['create deployment low --image=x'],
  ['create namespace n'],
  ['run q --image=x'],
  ['apply -f -', json('ConfigMap', 'y')],
  ['apply --server-side -f -', json('ConfigMap', 'y')],
  ['replace -f -', configMap],
  ['patch configmap x --type=merge -p {"data":{"a":"c"}}'],
  ['label configmap x a=b'],
  ['annotate configmap x a=b'],
  ['scale deployment web --replicas=3'],
  ['set image deployment/web x=y'],
  ['rollout restart deployment web'],
  ['delete deployment web'],
  ['delete configmap x'],
  ['delete pod p'],
  ['taint node node-x a=b:NoSchedule'],
  ['cordon node-x'],
  ['drain node-x --force --timeout=5s'],
  ['auth can-i create pods'],
  ['create token default'],
  ['get configmap x -o name'],
];

test.before(async (context) => {
  context.apiserver = await startGuardedApiserver();
  await context.apiserver.tell(message({}));
  for (const [args, input] of before) {
    const { status, output } = await context.apiserver.kubectl(args.split(' '), input);
    assert.is(status, 0, output);
  }
});
test.after(({ apiserver }) => apiserver.stop());

/** Ages and tokens differ from run to run. */
function steady(output: string): string {
  return output.replace(/12:03:11Z, \d+s\)/g, '12:03:11Z, 5s)').replace(/^eyJ[\w.-]+$/gm, '(a token)');
}

async function transcript({ kubectl, tell }: GuardedApiserver): Promise<string> {
  let text = '# What kubectl prints, for every way of writing. Written by webhook.test.ts, read by people.\n';
  for (const [state, change] of [
    ['Impaired', impaired],
    ['LeaderRX', restrictedLeader],
  ] as const) {
    text += `\n## ${state}\n`;
    for (const [args, input] of commands) {
      await tell(message(change));
      const { status, output } = await kubectl(args.split(' '), input);
      text += `$ kubectl ${args}\n${steady(output).trimEnd()}\n[${status}]\n`;
    }
  }
  return text;
}

test('every way of writing, in both restricted states', async ({ apiserver }) => {
  const printed = await transcript(apiserver);
  if (process.env.UPDATE_GOLDEN) writeFileSync(golden, printed);
  assert.fixture(printed, readFileSync(golden, 'utf8'));
});

test('when the state is not known the datastore decides, and kubectl says so', async ({ apiserver }) => {
  await apiserver.tell(message({ ...restrictedLeader, ttl_ms: 1 }));
  const { status, output } = await apiserver.kubectl(['create', 'configmap', 'z', '--from-literal=a=b']);
  assert.is(status, 0, output);
  assert.match(output, 'Warning: twonode: the webhook does not know the state of this node now');
});

test.run();
