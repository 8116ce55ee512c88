import { readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StateMessage } from '../../shared/messages.ts';
import { eventually } from '../eventually.ts';
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
const deployment = (name: string, priorityClassName: string) => {
  const labels = { app: name };
  const spec = { priorityClassName, containers: [{ name: 'c', image: 'x' }] };
  const template = { metadata: { labels }, spec };
  return json('Deployment', name, { spec: { selector: { matchLabels: labels }, template } }, 'apps/v1');
};
const pod = json('Pod', 'p', { spec: { nodeName: 'node-x', containers: [{ name: 'c', image: 'x' }] } });

/** What must be there before, written while nothing is restricted. */
const before: [args: string, input?: string][] = [
  ['create serviceaccount default'],
  ['create namespace shop'],
  ['create deployment web --image=x'],
  ['create configmap x --from-literal=a=b'],
  ['create -f -', json('Node', 'node-x')],
  ['create -f -', pod],
  ['create -f -', json('PriorityClass', 'high', { value: 1_000_000 }, 'scheduling.k8s.io/v1')],
  ['create priorityclass low --value=10'],
  ['create -f -', json('Node', node)],
];

/** Every way of writing that kubectl has. */
const commands: [args: string, input?: string][] = [
  ['create configmap y --from-literal=a=b'],
  ['create configmap y --from-literal=a=b --dry-run=server'],
  ['create -f -', json('ConfigMap', 'y')],
  ['create configmap allowed --from-literal=a=b'],
  ['create deployment low --image=x'],
  ['create -f -', deployment('low', 'low')],
  ['create -f -', deployment('high', 'high')],
  ['create namespace n'],
  ['run q --image=x'],
  ['apply -f -', json('ConfigMap', 'y')],
  ['apply --server-side -f -', json('ConfigMap', 'y')],
  ['replace -f -', configMap],
  ['patch configmap x --type=merge -p {"data":{"a":"c"}}'],
  ['edit configmap x'],
  ['label configmap x a=b'],
  ['annotate configmap x a=b'],
  ['scale deployment web --replicas=3'],
  ['set image deployment/web x=y'],
  ['set env deployment/web A=b'],
  ['rollout restart deployment web'],
  ['expose deployment web --port=80'],
  ['autoscale deployment web --max=2 --cpu=50%'],
  ['delete deployment web'],
  ['delete configmap x'],
  ['delete pod p'],
  ['delete namespace shop'],
  ['taint node node-x a=b:NoSchedule'],
  ['cordon node-x'],
  ['drain node-x --force --timeout=5s'],
  ['uncordon node-x'],
  ['exec p -- true'],
  ['logs p'],
  ['auth whoami'],
  ['auth can-i create pods'],
  ['create token default'],
  ['get configmap x -o name'],
];

/** One command for each verb of HTTP that writes. */
const writesOfEachVerb = [
  'create configmap y --from-literal=a=b',
  'create deployment low --image=x',
  'label configmap x a=b',
  'scale deployment web --replicas=3',
  'delete configmap x',
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

/** Ages, tokens and temporary files differ from run to run. */
function steady(output: string): string {
  return output
    .replace(/12:03:11Z, \d+s\)/g, '12:03:11Z, 5s)')
    .replace(/^eyJ[\w.-]+$/gm, '(a token)')
    .replace(/`\S+ replace -f \S+ to/, '`kubectl replace -f (a file) to');
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

test('a refusal is one call, and comes at once', async ({ apiserver }) => {
  await apiserver.tell(message(restrictedLeader));
  const figures: string[] = [];
  for (const args of writesOfEachVerb) {
    const { output } = await apiserver.kubectl([...args.split(' '), '-v=6']);
    const writes = [
      ...output.matchAll(/verb="(POST|PUT|PATCH|DELETE)".* status="(\d+)[^"]*" milliseconds=(\d+)/g),
    ];
    assert.equal(
      writes.map(([, , status]) => status),
      ['403'],
      output,
    );
    figures.push(`${args.split(' ')[0]} ${writes[0]?.[3]} ms`);
  }
  console.log(`    refused in: ${figures.join(', ')}`);
});

test('the Node says the state, and an Event the change', async ({ apiserver: { kubectl, tell } }) => {
  const wait = async (...condition: string[]) => {
    const { status, output } = await kubectl(['wait', `node/${node}`, '--timeout=15s', ...condition]);
    assert.is(status, 0, output);
  };
  await tell(message({}));
  await wait(String.raw`--for=jsonpath={.metadata.labels.twonode\.dev/state}=Follower`);
  await tell(message(restrictedLeader));
  await wait(String.raw`--for=jsonpath={.metadata.labels.twonode\.dev/state}=LeaderRX`);
  await wait('--for=condition=TwoNodeRestricted');
  const events = ['events', '-A', '--for', `node/${node}`, '--types=Warning', '--no-headers'];
  const told = await eventually(
    () => kubectl(events),
    ({ output }) => output.includes('TwoNodeLeaderRX'),
  );
  assert.match(told.output, 'Follower -> LeaderRX: node-a unreachable since 12:03:11Z');
});

test.run();
