import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import { findBinary } from '../../shared/binaries/find.ts';
import type { BinaryName } from '../../shared/binaries/tools.ts';
import { freePort } from '../../shared/process/ports.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { end } from '../etcd-servers.ts';

const stages = fileURLToPath(new URL('../../../test/e2e/testdata/kwok-stages.yaml', import.meta.url));

/** A part of Kubernetes before the kube-apiserver of one node. */
export interface KubernetesPart {
  /** The end of its log. */
  log(): string;
  /** Whether its first process still runs. */
  runs(): boolean;
  stop(): Promise<void>;
}

/** A node is NotReady when its kubelet was silent for `grace`; the fake one renews its lease each quarter of its duration. */
const seconds = { grace: 8, lease: 8 };

export interface ControllerOptions {
  /** As in production: a lease is held and renewed, and whoever cannot renew it exits. */
  leaderElect?: boolean;
  /** Default: what a Deployment and a lost node need. */
  controllers?: string;
}

/** A real kube-scheduler. @param admin kubeconfig of somebody who may impersonate; @param folder where its files go */
export async function startScheduler(
  admin: string,
  folder: string,
  options: Pick<ControllerOptions, 'leaderElect'> = {},
): Promise<KubernetesPart> {
  const user = { as: 'system:kube-scheduler' };
  return start('kube-scheduler', folder, [
    ...(await serving(folder, options)),
    ...client(admin, folder, user),
  ]);
}

/** A real kube-controller-manager. */
export async function startControllerManager(
  admin: string,
  folder: string,
  options: ControllerOptions = {},
): Promise<KubernetesPart> {
  const {
    controllers = 'deployment-controller,replicaset-controller,serviceaccount-controller,node-lifecycle-controller',
  } = options;
  return start('kube-controller-manager', folder, [
    ...(await serving(folder, options)),
    ...client(admin, folder, { as: 'system:kube-controller-manager' }),
    `--controllers=${controllers}`,
    `--node-monitor-grace-period=${seconds.grace}s`,
    '--node-monitor-period=1s',
    '--use-service-account-credentials',
  ]);
}

/** kwok in the place of a kubelet: the node is Ready, and pods that are bound to it run. */
export async function startFakeKubelet(admin: string, node: string, folder: string): Promise<KubernetesPart> {
  // No node authorizer runs here, so it has an admin's rights; the lists know it by its group as any kubelet.
  const user = { as: `system:node:${node}`, 'as-groups': ['system:nodes', 'system:masters'] };
  return start('kwok', folder, [
    ...client(admin, folder, user),
    `--config=${stages}`,
    `--manage-single-node=${node}`,
    `--node-lease-duration-seconds=${seconds.lease}`,
  ]);
}

async function start(program: BinaryName, folder: string, args: string[]): Promise<KubernetesPart> {
  const logFile = join(folder, `${program}.log`);
  const log = openSync(logFile, 'a');
  const child = spawnTethered(await findBinary(program), args, {
    deathSignal: 'KILL',
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  return {
    log: () => readFileSync(logFile, 'utf8').split('\n').slice(-20).join('\n'),
    runs: () => child.exitCode === null && child.signalCode === null,
    stop: () => end(child, 'SIGTERM'),
  };
}

async function serving(folder: string, { leaderElect = false }: ControllerOptions): Promise<string[]> {
  const port = await freePort();
  return [
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(folder, String(port))}`,
    `--leader-elect=${leaderElect}`,
  ];
}

/** The same server for another user: the lists tell people and the control plane apart by their names. */
function client(admin: string, folder: string, user: { as: string; 'as-groups'?: string[] }): string[] {
  const config = parse(readFileSync(admin, 'utf8'));
  for (const each of config.users) Object.assign(each.user, user);
  const file = join(folder, `${user.as.replaceAll(':', '-')}.kubeconfig`);
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return [`--kubeconfig=${file}`];
}
