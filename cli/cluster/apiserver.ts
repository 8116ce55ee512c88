import { closeSync, openSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NodeConfiguration, TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/logger.ts';
import { nodePaths } from '../../shared/paths.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { type Supervised, supervise } from '../../shared/process/supervise.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { type Pki, serviceRange } from './pki.ts';

const readyLimitMs = 120_000;
const pollMs = 100;
/** It would wait a minute for its watches to end. */
const stopLimitMs = 3_000;

/** The kube-apiserver of one node, which `twonode fault stop-api` stops. */
export class Apiserver {
  readonly url: string;
  readonly kubeconfig: string;
  pid: number | undefined;
  private readonly logFile: string;
  private readonly launch: () => Supervised;
  /** Called whenever the process id has changed. */
  onPid: () => void = () => {};
  private supervised: Supervised | undefined;

  constructor(
    binary: string,
    config: TwoNodeConfiguration,
    node: NodeConfiguration,
    pki: Pki,
    logger: Logger,
    moreArguments: string[] = [],
  ) {
    const { root } = nodePaths(config, node.name);
    const args = [...apiserverArguments(config, node, pki), ...moreArguments];
    this.url = `https://127.0.0.1:${node.ports.api}`;
    this.kubeconfig = join(root, 'kubeconfig');
    this.logFile = join(root, 'kube-apiserver.log');
    writeKubeconfig(this.kubeconfig, node.name, this.url, pki);
    this.launch = () =>
      supervise({
        name: `kube-apiserver of ${node.name}`,
        logger,
        start: () => {
          const log = openSync(this.logFile, 'w');
          const child = spawnTethered(binary, args, { deathSignal: 'KILL', stdio: ['ignore', log, log] });
          closeSync(log);
          return child;
        },
        onPid: (pid) => {
          this.pid = pid;
          this.onPid();
        },
      });
  }

  start(): void {
    this.supervised ??= this.launch();
  }

  async stop(): Promise<void> {
    const { supervised } = this;
    this.supervised = undefined;
    await supervised?.stop(stopLimitMs);
  }

  /** @throws UserError when it is not ready within two minutes */
  async waitUntilReady(): Promise<void> {
    const deadline = Date.now() + readyLimitMs;
    while (Date.now() < deadline) {
      if (await answersOk(`${this.url}/readyz`)) return;
      await delay(pollMs);
    }
    throw new UserError(
      `the kube-apiserver ${this.url} is not ready after ${readyLimitMs / 1_000} s, see ${this.logFile}`,
    );
  }
}

/** The flags with which the kube-apiserver of a node runs on its shim. */
export function apiserverArguments(
  config: TwoNodeConfiguration,
  node: NodeConfiguration,
  pki: Pki,
): string[] {
  const { admissionConfig } = nodePaths(config, node.name);
  const serving = pki.serving(node.name, node.address);
  return [
    `--etcd-servers=http://127.0.0.1:${node.ports.etcd}`,
    `--secure-port=${node.ports.api}`,
    '--bind-address=127.0.0.1',
    `--advertise-address=${node.address}`,
    // On one machine both would write the same endpoint.
    '--endpoint-reconciler-type=none',
    `--tls-cert-file=${serving.cert}`,
    `--tls-private-key-file=${serving.key}`,
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${pki.serviceAccountKey}`,
    `--service-account-signing-key-file=${pki.serviceAccountKey}`,
    `--service-cluster-ip-range=${serviceRange}`,
    `--token-auth-file=${pki.tokens}`,
    '--authorization-mode=RBAC',
    // Written by the webhook: it registers itself with this one kube-apiserver, not in the datastore.
    `--admission-control-config-file=${admissionConfig}`,
  ];
}

function answersOk(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(url, { rejectUnauthorized: false, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.once('timeout', () => asked.destroy());
    asked.once('error', () => resolve(false));
    asked.end();
  });
}
