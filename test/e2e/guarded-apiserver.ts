import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NatsConnection } from 'nats';
import { pino } from 'pino';
import { Apiserver } from '../../cli/cluster/apiserver.ts';
import { openPki } from '../../cli/cluster/pki.ts';
import { validatePath } from '../../services/webhook/app.ts';
import { readCertificates, writeCertificates } from '../../services/webhook/certificate-files.ts';
import { type Certificates, caBundle } from '../../services/webhook/certificates.ts';
import { findBinary } from '../../shared/binaries/find.ts';
import { connectBus } from '../../shared/bus.ts';
import { parseConfiguration } from '../../shared/config/load.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { encodeMessage, type StateMessage } from '../../shared/messages.ts';
import { type NatsServer, startNatsServer } from '../../shared/nats-server/child.ts';
import { natsServerConfig, servicesUser } from '../../shared/nats-server/config.ts';
import { nodePaths } from '../../shared/paths.ts';
import { freePort } from '../../shared/process/ports.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { subjects } from '../../shared/subjects.ts';
import { end, startTwonodeEtcd } from '../etcd-servers.ts';
import { eventually } from '../eventually.ts';
import { runProgram } from '../run-program.ts';
import { writeWebhookKubeconfig } from './webhook-kubeconfig.ts';

/** The node before whose kube-apiserver the webhook stands. */
export const node = 'node-b';
const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
const logger = pino({ level: 'silent' });
const readyLimitMs = 30_000;
const kubectlLimitMs = 20_000;
const stateIntervalMs = 1_000;
/** What `kubectl edit` starts: it changes the data of a ConfigMap. */
const editor = `sed -i 's/^  a: .*/  a: edited/'`;

type Registration = TwoNodeConfiguration['kubernetes']['registration'];

/** A kube-apiserver on `twonode etcd` with the webhook before it. The test plays the shim: it tells the state. */
export interface GuardedApiserver {
  /** Runs kubectl, also when it fails. @returns exit status, and stderr and stdout */
  kubectl(args: string[], input?: string): Promise<{ status: number; output: string }>;
  /** Tells a state, again and again until the next; resolves when the webhook has it. */
  tell(state: StateMessage): Promise<void>;
  /** Of an admin. */
  kubeconfig: string;
  /** Where reviews go, which CA to trust there at first, and the certificates that it has now. */
  webhook: { url: URL; ca: string; certificates(): Certificates };
  stop(): Promise<void>;
}

export interface GuardedOptions {
  registration?: Registration;
  /** Path of another kube-apiserver than the pinned one. */
  kubeApiserver?: string | undefined;
  /** With which the webhook starts; without them it makes its own, of a week. */
  certificates?: { lifetimeMs: number; first: Certificates };
}

/** OLDER_KUBE_APISERVER=PATH runs a test with that one: before 1.37 the webhook must be an object. */
export function olderKubeApiserver(): GuardedOptions {
  const path = process.env.OLDER_KUBE_APISERVER;
  return path ? { registration: 'object', kubeApiserver: path } : {};
}

/** Starts it all on free ports, in a temporary folder which `stop` removes. The webhook has the rights of deploy/webhook-rbac.yaml. */
export async function startGuardedApiserver({
  registration = 'manifest',
  kubeApiserver,
  certificates,
}: GuardedOptions = {}): Promise<GuardedApiserver> {
  const dataDir = mkdtempSync(join(tmpdir(), 'twonode-guarded-'));
  const etcd = await startTwonodeEtcd();
  const etcdPort = Number(etcd.address.split(':')[1]);
  const text = await configurationText(dataDir, etcdPort, registration, certificates?.lifetimeMs);
  const file = join(dataDir, 'twonode.yaml');
  writeFileSync(file, text);
  const config = parseConfiguration(text, file);
  const { self } = nodePair(config, node);
  const paths = nodePaths(config, node);
  mkdirSync(paths.webhook, { recursive: true });
  writeFileSync(paths.clusterKey, randomBytes(32).toString('hex'), { mode: 0o600 });
  if (certificates) writeCertificates(paths.webhook, certificates.first);
  const apiserver = new Apiserver(
    kubeApiserver ?? (await findBinary('kube-apiserver')),
    config,
    self,
    openPki(join(dataDir, 'pki')),
    logger,
  );
  if (registration === 'object') withoutPlugins(paths.admissionConfig);
  const nats = await startNats(config);
  const webhook = spawnTethered(process.execPath, [program, 'webhook', '--config', file, '--node', node], {
    deathSignal: 'KILL',
    stdio: ['ignore', 'ignore', 'ignore'],
  });
  const bus = await connectBus({
    url: nats.url,
    name: 'test',
    user: servicesUser,
    password: servicesPassword(config),
    logger,
  });
  await untilAnswered(bus, subjects.status(node, 'webhook'));
  apiserver.start();
  await apiserver.waitUntilReady();
  const trusted = () => {
    const read = readCertificates(paths.webhook);
    if (!read) throw new Error('the webhook has no certificates');
    return read;
  };
  const kubectlBinary = await findBinary('kubectl');
  const kubectl = async (args: string[], input?: string) => {
    const { status, stdout, stderr } = await runProgram(
      kubectlBinary,
      ['--kubeconfig', apiserver.kubeconfig, ...args],
      { input, limitMs: kubectlLimitMs, env: { ...process.env, KUBE_EDITOR: editor, TMPDIR: dataDir } },
    );
    return { status, output: stderr + stdout };
  };
  await writeWebhookKubeconfig(kubectl, apiserver.kubeconfig, webhookKubeconfig(dataDir, node));
  let refresh: NodeJS.Timeout | undefined;
  return {
    kubectl,
    kubeconfig: apiserver.kubeconfig,
    tell: async (state) => {
      clearInterval(refresh);
      const publish = () => bus.publish(subjects.state(node), encodeMessage(state));
      publish();
      refresh = setInterval(publish, stateIntervalMs);
      // On one connection the question comes after the state.
      await bus.request(subjects.status(node, 'webhook'));
    },
    webhook: {
      url: new URL(`https://127.0.0.1:${self.ports.webhook}${validatePath}`),
      ca: caBundle(trusted()),
      certificates: trusted,
    },
    stop: async () => {
      clearInterval(refresh);
      await apiserver.stop();
      await bus.close();
      await end(webhook, 'SIGTERM');
      await nats.stop();
      await etcd.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const webhookKubeconfig = (dataDir: string, name: string) => join(dataDir, name, 'webhook.kubeconfig');

async function configurationText(
  dataDir: string,
  etcd: number,
  registration: Registration,
  certificateLifetimeMs = 7 * 24 * 3_600_000,
): Promise<string> {
  const ports = {
    etcd,
    nats: await freePort(),
    monitoring: await freePort(),
    leaf: await freePort(),
    api: await freePort(),
    webhook: await freePort(),
    webhookMetrics: await freePort(),
  };
  return JSON.stringify({
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'test',
    dataDir,
    nodes: [
      {
        name: 'node-a',
        role: 'leader',
        address: '127.0.0.1',
        ports: { leaf: await freePort(), webhook: ports.webhook },
      },
      { name: node, role: 'follower', address: '127.0.0.1', ports },
    ],
    probes: { northSouth: [{ name: 'gateway', address: '127.0.0.1' }] },
    approvedMutationList: [{ apiGroups: ['apps'], resources: ['deployments'], minPriority: 1_000_000 }],
    impairedMutationList: [{ resources: ['configmaps'], names: ['allowed'] }],
    kubernetes: { kubeconfig: webhookKubeconfig(dataDir, '{node}'), registration },
    webhook: { certificateLifetime: `${certificateLifetimeMs}ms` },
  });
}

/** The flag of kube-apiserver names this file; a webhook that is an object does not write it. */
function withoutPlugins(admissionConfig: string): void {
  mkdirSync(dirname(admissionConfig), { recursive: true });
  const content = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AdmissionConfiguration', plugins: [] };
  writeFileSync(admissionConfig, JSON.stringify(content));
}

function servicesPassword(config: TwoNodeConfiguration): string {
  return deriveSecret(readClusterKey(nodePaths(config, node).clusterKey), 'services');
}

async function startNats(config: TwoNodeConfiguration): Promise<NatsServer> {
  const folder = nodePaths(config, node).nats;
  const passwords = { services: servicesPassword(config), leaf: 'nobody-is-there' };
  return startNatsServer({
    binary: await findBinary('nats-server'),
    folder,
    config: natsServerConfig(config, node, folder, passwords),
    ports: nodePair(config, node).self.ports,
    logger,
  });
}

/** Waits until somebody answers on a subject. */
async function untilAnswered(bus: NatsConnection, subject: string): Promise<void> {
  const asked = () =>
    bus.request(subject).then(
      () => null,
      (error: Error) => error.message,
    );
  await eventually(asked, (fault) => fault === null, readyLimitMs);
}
