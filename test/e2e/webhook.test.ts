import { readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { StateMessage } from '../../shared/messages.ts';
import { eventually } from '../eventually.ts';
import { certificateSigningRequest } from './certificate-kinds.ts';
import {
  type GuardedApiserver,
  node,
  olderKubeApiserver,
  startGuardedApiserver,
} from './guarded-apiserver.ts';

// What kubectl prints in each state, for every way of writing, against a golden file. To write the file anew:
// UPDATE_GOLDEN=1 node dist/test/e2e/webhook.test.js, then read it.

const test = suite<{ apiserver: GuardedApiserver }>('what kubectl prints before a restricted node');
const golden = new URL('../../../test/e2e/testdata/refusals.txt', import.meta.url);

/** The machine may pause; nineteen of twenty refusals must come as fast as this. */
const refusedWithinMs = 100;

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
    conflicts: 0,
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
  ['create service clusterip web --tcp=80'],
  ['create clusterrolebinding everyone --clusterrole=view --user=bob'],
  ['create -f -', JSON.stringify(certificateSigningRequest('request'))],
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
  ['create secret generic s --from-literal=a=b'],
  ['create service clusterip s --tcp=80'],
  ['create serviceaccount s'],
  ['create role r --verb=get --resource=pods'],
  ['create rolebinding r --clusterrole=view --user=alice'],
  ['create clusterrole r --verb=get --resource=pods'],
  ['create clusterrolebinding r --clusterrole=view --user=alice'],
  ['create ingress i --rule=example.com/*=web:80'],
  ['create job j --image=x'],
  ['create cronjob j --image=x --schedule=@daily'],
  ['create quota q --hard=pods=9'],
  ['create poddisruptionbudget b --selector=app=web --min-available=1'],
  ['create priorityclass c --value=5'],
  ['create --raw /api/v1/namespaces/default/configmaps -f -', json('ConfigMap', 'y')],
  ['run q --image=x'],
  ['apply -f -', json('ConfigMap', 'y')],
  ['apply -f -', configMap],
  ['apply --server-side -f -', json('ConfigMap', 'y')],
  ['apply --server-side --force-conflicts -f -', configMap],
  ['apply set-last-applied --create-annotation -f -', configMap],
  ['diff -f -', configMap],
  ['auth reconcile -f -', json('ClusterRole', 'r', { rules: [] }, 'rbac.authorization.k8s.io/v1')],
  ['replace -f -', configMap],
  ['replace --force -f -', configMap],
  ['patch configmap x -p {"data":{"a":"c"}}'],
  ['patch configmap x --type=merge -p {"data":{"a":"c"}}'],
  ['patch configmap x --type=json -p [{"op":"remove","path":"/data/a"}]'],
  ['patch deployment web --subresource=status --type=merge -p {"status":{"replicas":9}}'],
  ['edit configmap x'],
  ['label configmap x a=b'],
  ['annotate configmap x a=b'],
  ['scale deployment web --replicas=3'],
  ['set image deployment/web x=y'],
  ['set env deployment/web A=b'],
  ['set resources deployment/web --limits=cpu=1'],
  ['set serviceaccount deployment/web default'],
  ['set selector service web app=x'],
  ['set subject clusterrolebinding everyone --user=alice'],
  ['rollout restart deployment web'],
  ['rollout pause deployment web'],
  ['debug p --image=x -c d --attach=false'],
  ['expose deployment web --port=80'],
  ['autoscale deployment web --max=2 --cpu=50%'],
  ['delete deployment web'],
  ['delete configmap x'],
  ['delete -f -', configMap],
  ['delete deployment -l app=web'],
  ['delete serviceaccount --all'],
  ['delete --raw /api/v1/namespaces/default/configmaps'],
  ['delete pod p'],
  ['delete pod p --force --grace-period=0'],
  ['delete namespace shop'],
  ['taint node node-x a=b:NoSchedule'],
  ['cordon node-x'],
  ['drain node-x --force --timeout=5s'],
  ['drain node-x --force --disable-eviction --timeout=5s'],
  ['uncordon node-x'],
  ['certificate approve request'],
  ['certificate deny request'],
  ['exec p -- true'],
  ['attach p'],
  ['port-forward p 8080'],
  ['logs p'],
  ['auth whoami'],
  ['auth can-i create pods'],
  ['create token default'],
  ['get configmap x -o name'],
];

test.before(async (context) => {
  context.apiserver = await startGuardedApiserver(olderKubeApiserver());
  await context.apiserver.tell(message(impaired));
  await eventually(
    () => context.apiserver.kubectl(['create', 'namespace', 'n', '--dry-run=server']),
    ({ status }) => status !== 0,
  );
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
    .replace(/`\S+ replace -f \S+ to/, '`kubectl replace -f (a file) to')
    .replace(/when deleting "\/\S+"/, 'when deleting "(a file)"');
}

const restrictedStates = [
  ['Impaired', impaired],
  ['LeaderRX', restrictedLeader],
] as const;

async function transcript({ kubectl, tell }: GuardedApiserver): Promise<string> {
  let text = '# What kubectl prints, for every way of writing. Written by webhook.test.ts, read by people.\n';
  for (const [state, change] of restrictedStates) {
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

test('every refusal is one call, and comes at once', async ({ apiserver: { kubectl, tell } }) => {
  const refused = /verb="(POST|PUT|PATCH|DELETE)" url="([^"]+)" status="403[^"]*" milliseconds=(\d+)/g;
  const latenciesMs: number[] = [];
  for (const [, change] of restrictedStates) {
    await tell(message(change));
    for (const [args, input] of commands) {
      const { output } = await kubectl([...args.split(' '), '-v=6'], input);
      const calls = [...output.matchAll(refused)];
      const urls = calls.map(([, verb, url]) => `${verb} ${url}`);
      assert.is(new Set(urls).size, urls.length, `kubectl ${args} repeats what is refused: ${urls}`);
      latenciesMs.push(...calls.map(([, , , ms]) => Number(ms)));
    }
  }
  latenciesMs.sort((left, right) => left - right);
  const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)] ?? Number.NaN;
  console.log(`    ${latenciesMs.length} refusals: p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms`);
  assert.ok(latenciesMs.length > commands.length);
  assert.ok(at(0.95) < refusedWithinMs);
});

test('the control plane is not asked, and people are, whatever their groups', async ({ apiserver }) => {
  const { kubectl, tell } = apiserver;
  await tell(message(restrictedLeader));
  const lease = json('Lease', 'l', { spec: {} }, 'coordination.k8s.io/v1');
  const asked = async (user: string, group: string, input = configMap) => {
    const who = [`--as=${user}`, `--as-group=${group}`, '--as-group=system:masters'];
    const { output } = await kubectl(['create', '-f', '-', '--dry-run=server', ...who], input);
    // Who is not asked about finds the object there already, or would have made it.
    assert.match(output, /denied the request: LeaderRX: |AlreadyExists|created \(server dry run\)/);
    return output.includes('denied the request');
  };
  const operator = 'system:serviceaccount:shop:operator';
  assert.not(await asked('system:kube-controller-manager', 'system:authenticated'));
  assert.not(await asked('system:node:node-b', 'system:nodes'));
  assert.not(await asked('system:serviceaccount:kube-system:x', 'system:serviceaccounts:kube-system'));
  assert.not(await asked(operator, 'system:serviceaccounts:shop', lease));
  assert.ok(await asked(operator, 'system:serviceaccounts:shop'));
  assert.ok(await asked('alice', 'system:authenticated', lease));
  assert.ok(await asked('system:admin', 'system:authenticated'));
});

test('when the state is not known the datastore decides, and kubectl says so', async ({ apiserver }) => {
  await apiserver.tell(message({ ...restrictedLeader, ttl_ms: 1 }));
  const { status, output } = await apiserver.kubectl(['create', 'configmap', 'z', '--from-literal=a=b']);
  assert.is(status, 0, output);
  assert.match(output, 'Warning: twonode: the webhook does not know the state of this node now');
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
