import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { Apiserver } from '../../cli/cluster/apiserver.ts';
import { openPki } from '../../cli/cluster/pki.ts';
import { findBinary } from '../../shared/binaries/find.ts';
import { parseConfiguration } from '../../shared/config/load.ts';
import { nodePair } from '../../shared/config/schema.ts';
import { mutationLists } from '../../shared/mutation/lists.ts';
import { datastoreGroup, parseKey } from '../../shared/mutation/registry-key.ts';
import { isStored } from '../../shared/mutation/stored.ts';
import { type ControlPlaneWrite, describeWrite } from '../../shared/mutation/testing/control-plane-writes.ts';
import { nodePaths } from '../../shared/paths.ts';
import { freePort } from '../../shared/process/ports.ts';
import { EtcdClient } from '../etcd-client.ts';
import { startTwonodeEtcd } from '../etcd-servers.ts';
import { eventually } from '../eventually.ts';
import { runProgram } from '../run-program.ts';
import { type AuditedWrite, auditFlags, readAuditLog } from './audit-log.ts';
import {
  type KubernetesPart,
  startControllerManager,
  startFakeKubelet,
  startScheduler,
} from './kubernetes-controllers.ts';

// Records what the control plane writes, for the built-in lists: node dist/test/e2e/record-control-plane.js
// It takes some seven minutes, and writes shared/mutation/testdata/control-plane-writes.txt, which default-lists.test.ts judges.

const recording = new URL('../../../shared/mutation/testdata/control-plane-writes.txt', import.meta.url);
const node = 'node-b';
const settleMs = 20_000;
const idleMs = 90_000;
/** Of objects with names like these, one stands for all. */
const namesMax = 4;
const person = 'system:admin';

const dataDir = mkdtempSync(join(tmpdir(), 'twonode-record-'));
const etcd = await startTwonodeEtcd();
const configText = JSON.stringify({
  apiVersion: 'twonode.dev/v1alpha1',
  kind: 'TwoNodeConfiguration',
  cluster: 'record',
  dataDir,
  nodes: [
    { name: 'node-a', role: 'leader', address: '127.0.0.1' },
    {
      name: node,
      role: 'follower',
      address: '127.0.0.1',
      ports: { etcd: Number(etcd.address.split(':')[1]), api: await freePort() },
    },
  ],
  probes: { northSouth: [{ name: 'gateway', address: '127.0.0.1' }] },
});
const config = parseConfiguration(configText, 'twonode.yaml');
const lists = mutationLists(config, node);
const { root, admissionConfig } = nodePaths(config, node);
mkdirSync(root, { recursive: true });
mkdirSync(dirname(admissionConfig), { recursive: true });
const noPlugins = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AdmissionConfiguration', plugins: [] };
writeFileSync(admissionConfig, JSON.stringify(noPlugins));
const auditLog = join(dataDir, 'audit.log');
const apiserver = new Apiserver(
  await findBinary('kube-apiserver'),
  config,
  nodePair(config, node).self,
  openPki(join(dataDir, 'pki')),
  pino({ level: 'warn' }),
  [
    ...auditFlags(join(dataDir, 'audit-policy.yaml'), auditLog),
    // The default, with which an apiserver keeps its masterlease.
    '--endpoint-reconciler-type=lease',
    '--advertise-address=10.0.0.2',
    // A lost node is left in seconds, not after five minutes.
    '--default-not-ready-toleration-seconds=5',
    '--default-unreachable-toleration-seconds=5',
  ],
);
const client = new EtcdClient(etcd.address);
const kubectlBinary = await findBinary('kubectl');

/** @returns what it printed. @throws Error when it fails */
async function kubectl(command: string, input?: object): Promise<string> {
  const args = ['--kubeconfig', apiserver.kubeconfig, ...command.split(' ')];
  const { status, stdout, stderr } = await runProgram(kubectlBinary, args, {
    limitMs: 120_000,
    input: input && JSON.stringify(input),
  });
  if (status !== 0) throw new Error(`kubectl ${command}: ${stderr}`);
  return stdout;
}

let text = `# What the control plane writes, and what the built-in lists of ${node} make of it at the datastore. Recorded by
# test/e2e/record-control-plane.ts with kube-apiserver, kube-controller-manager (all controllers) and kube-scheduler 1.37.2, kwok
# as the kubelet. Where there are many names, one stands for all; "-" is a name that the apiserver chose.
`;
let audited = 0;
let revision = 0;

/** Takes down what was written since the last time. */
async function endPhase(name: string): Promise<void> {
  const writes = readAuditLog(auditLog);
  const lines = new Set([
    ...oneForAll(writes.slice(audited).flatMap(toWrite)).map((write) => describeWrite(lists, write)),
    ...(await datastoreWrites()).map((write) => describeWrite(lists, write)),
  ]);
  audited = writes.length;
  text += `\n## ${name}\n${[...lines].sort().join('\n')}\n`;
  console.log(`${name}: ${lines.size} kinds of writes`);
}

function toWrite({ user, verb, status, ...object }: AuditedWrite): ControlPlaneWrite[] {
  const verbs = {
    create: 'create',
    update: 'update',
    patch: 'update',
    delete: 'delete',
    deletecollection: 'delete',
  } as const;
  const written = verbs[verb as keyof typeof verbs];
  if (user === person || status >= 300 || !written) return [];
  const write = { user, verb: written, ...object };
  // A Namespace is in none, whatever the log says.
  if (write.resource === 'namespaces') write.namespace = '';
  return isStored(write) ? [write] : [];
}

function oneForAll(writes: ControlPlaneWrite[]): ControlPlaneWrite[] {
  const kinds = new Map<string, ControlPlaneWrite[]>();
  for (const write of writes) {
    const kind = JSON.stringify({ ...write, name: '' });
    kinds.set(kind, [...(kinds.get(kind) ?? []), write]);
  }
  return [...kinds.values()].flatMap((same) => {
    const names = new Set(same.map(({ name }) => name));
    return names.size > namesMax ? same.slice(0, 1) : same;
  });
}

/** The keys that are no objects of the API, and so in no audit log. */
async function datastoreWrites(): Promise<ControlPlaneWrite[]> {
  const { kvs, header } = await client.range({ key: '\0', rangeEnd: '\0', keysOnly: true });
  const before = revision;
  revision = header?.revision ?? 0;
  return kvs.flatMap(({ key, modRevision, createRevision }) => {
    const object = parseKey(key);
    if (modRevision <= before || object.apiGroup !== datastoreGroup) return [];
    const verb = createRevision > before ? 'create' : 'update';
    return [{ ...object, apiGroup: datastoreGroup, user: 'kube-apiserver', verb, subresource: '' }];
  });
}

async function startParts(): Promise<{ kubelet: KubernetesPart; others: KubernetesPart[] }> {
  const { kubeconfig } = apiserver;
  return {
    kubelet: await startFakeKubelet(kubeconfig, node, dataDir),
    others: [
      await startControllerManager(kubeconfig, dataDir, { controllers: '*', leaderElect: true }),
      await startScheduler(kubeconfig, dataDir, { leaderElect: true }),
    ],
  };
}

const template = (labels: object) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'c', image: 'x' }], terminationGracePeriodSeconds: 1 },
});
const selected = (app: string) => ({ selector: { matchLabels: { app } }, template: template({ app }) });
const object = (apiVersion: string, kind: string, name: string, more: object = {}) => {
  return { apiVersion, kind, metadata: { name }, ...more };
};

/** What people do with a cluster, so that the control plane works. */
async function work(): Promise<void> {
  const jobTemplate = { spec: { ...template({ app: 'tick' }).spec, restartPolicy: 'Never' } };
  for (const each of [
    object('apps/v1', 'Deployment', 'web', { spec: { replicas: 3, ...selected('web') } }),
    object('apps/v1', 'DaemonSet', 'agent', { spec: selected('agent') }),
    object('apps/v1', 'StatefulSet', 'db', { spec: { serviceName: 'db', ...selected('db') } }),
    object('batch/v1', 'Job', 'once', { spec: { template: jobTemplate } }),
    object('batch/v1', 'CronJob', 'tick', {
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template: jobTemplate } } },
    }),
    object('v1', 'ResourceQuota', 'quota', { spec: { hard: { pods: '99' } } }),
    object('policy/v1', 'PodDisruptionBudget', 'web', {
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
    }),
  ]) {
    await kubectl('create -f -', each);
  }
  await kubectl('expose deployment web --port=80');
  await kubectl('autoscale deployment web --min=2 --max=5 --cpu=50%');
  await kubectl('rollout status deployment/web --timeout=60s');
  await kubectl('scale deployment web --replicas=5');
  await kubectl('rollout status deployment/web --timeout=60s');
  await kubectl('set image deployment/web c=y');
  await kubectl('rollout status deployment/web --timeout=60s');
  await kubectl('delete pod db-0');
  await kubectl('create namespace shop');
  await kubectl(`drain ${node} --ignore-daemonsets --force --timeout=60s --disable-eviction`);
  await kubectl(`uncordon ${node}`);
  await delay(60_000);
  await kubectl('delete namespace shop');
  await kubectl('delete cronjob tick');
  await kubectl('rollout status deployment/web --timeout=60s');
}

try {
  apiserver.start();
  await apiserver.waitUntilReady();
  await delay(settleMs);
  await endPhase('first start of kube-apiserver');

  await apiserver.stop();
  apiserver.start();
  await apiserver.waitUntilReady();
  await delay(settleMs);
  await endPhase('restart of kube-apiserver');

  await kubectl(
    'create -f -',
    object('v1', 'Node', node, { status: { allocatable: { cpu: '9', memory: '9Gi', pods: '99' } } }),
  );
  let parts = await startParts();
  await kubectl(`wait node/${node} --for=condition=Ready --timeout=60s`);
  await delay(settleMs);
  await endPhase('first start of kube-controller-manager, kube-scheduler and a kubelet');

  await delay(idleMs);
  await endPhase('idle');

  await Promise.all([parts.kubelet, ...parts.others].map((part) => part.stop()));
  parts = await startParts();
  await delay(settleMs);
  await endPhase('restart of kube-controller-manager, kube-scheduler and a kubelet');

  await work();
  await delay(settleMs);
  await endPhase('work');

  await parts.kubelet.stop();
  await eventually(
    () => kubectl('get pods -l app=web -o jsonpath={.items[*].metadata.deletionTimestamp}'),
    (stamps) => stamps !== '',
    120_000,
  );
  await delay(settleMs);
  await endPhase('a node is lost');
  await Promise.all(parts.others.map((part) => part.stop()));
  writeFileSync(recording, text);
} finally {
  client.close();
  await apiserver.stop();
  await etcd.stop();
  rmSync(dataDir, { recursive: true, force: true });
}
