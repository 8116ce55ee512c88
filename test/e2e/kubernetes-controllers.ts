import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { findBinary } from '../../shared/binaries/find.ts';
import { freePort } from '../../shared/process/ports.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { end } from '../etcd-servers.ts';

/** A real kube-scheduler and kube-controller-manager before the kube-apiserver of one node. */
export interface KubernetesControllers {
  /** The log of the two. */
  log(): string;
  stop(): Promise<void>;
}

const flags = {
  'kube-scheduler': [],
  'kube-controller-manager': [
    // Without a kubelet a node would soon be NotReady, so its controller is not among them.
    '--controllers=deployment-controller,replicaset-controller,serviceaccount-controller',
    '--use-service-account-credentials',
  ],
} as const;
type Program = keyof typeof flags;

/** @param admin kubeconfig of somebody who may impersonate; @param folder where kubeconfigs and log go */
export async function startControllers(admin: string, folder: string): Promise<KubernetesControllers> {
  const logFile = join(folder, 'controllers.log');
  const start = async (program: Program) => {
    const args = [
      `--kubeconfig=${impersonate(admin, `system:${program}`, folder)}`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      `--secure-port=${await freePort()}`,
      `--cert-dir=${join(folder, program)}`,
      ...flags[program],
    ];
    const log = openSync(logFile, 'a');
    const child = spawnTethered(await findBinary(program), args, {
      deathSignal: 'KILL',
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return child;
  };
  const children = [await start('kube-scheduler'), await start('kube-controller-manager')];
  return {
    log: () => readFileSync(logFile, 'utf8'),
    stop: async () => {
      await Promise.all(children.map((child) => end(child, 'SIGTERM')));
    },
  };
}

/** The same server for another user: the lists tell people and the control plane apart by their names. */
function impersonate(admin: string, user: string, folder: string): string {
  const config = parse(readFileSync(admin, 'utf8'));
  for (const each of config.users) each.user.as = user;
  const file = join(folder, `${user.replace(':', '-')}.kubeconfig`);
  writeFileSync(file, stringify(config), { mode: 0o600 });
  return file;
}
