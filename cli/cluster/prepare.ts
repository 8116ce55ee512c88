import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { loadConfiguration } from '../../shared/config/load.ts';
import type { TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { UserError } from '../../shared/lifecycle.ts';
import { natsPorts } from '../../shared/nats-server/child.ts';
import { nodePaths } from '../../shared/paths.ts';
import { requireFreePorts } from '../../shared/process/ports.ts';
import { ensureClusterKey, isEmptyStore, markNewCluster } from '../node/init.ts';
import { servicePorts } from '../node/wanted-ports.ts';
import { readClusterFile } from './cluster-file.ts';
import { installCni } from './cni.ts';
import { clusterConfiguration, cniFolder, gatewayPort } from './layout.ts';
import { routesOf } from './relay/routes.ts';

export interface PreparedCluster {
  config: TwoNodeConfiguration;
  configFile: string;
}

/**
 * Makes the folder of a loopback cluster ready: its configuration, cluster key and CNI folders, and, where no node has a
 * store yet, the mark with which the leader begins a new cluster.
 * @throws UserError when a cluster runs there already, or when a port is in use
 */
export async function prepareCluster(dataDir: string, portBase: number): Promise<PreparedCluster> {
  refuseSecondStart(dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const configFile = join(dataDir, 'twonode.yaml');
  writeFileSync(configFile, stringify(clusterConfiguration(dataDir, portBase)));
  const config = loadConfiguration(configFile);
  await requirePorts(config, portBase);
  for (const { name } of config.nodes) {
    ensureClusterKey(nodePaths(config, name).clusterKey);
    installCni(cniFolder(dataDir, name));
  }
  const leader = config.nodes.find(({ role }) => role === 'leader');
  if (leader && config.nodes.every(({ name }) => isEmptyStore(nodePaths(config, name).nats))) {
    markNewCluster(config, leader.name);
  }
  return { config, configFile };
}

async function requirePorts(config: TwoNodeConfiguration, portBase: number): Promise<void> {
  for (const node of config.nodes) {
    const api = { host: '127.0.0.1', port: node.ports.api, purpose: `the kube-apiserver of ${node.name}` };
    await requireFreePorts([...natsPorts({ ports: node.ports }), ...servicePorts(node), api]);
  }
  const routes = routesOf(config).filter(({ protocol }) => protocol === 'tcp');
  await requireFreePorts([
    ...routes.flatMap(({ from, to }) => [
      { ...from, purpose: 'the link between the nodes' },
      { ...to, purpose: 'what the peer reaches over the link' },
    ]),
    { host: '127.0.0.1', port: gatewayPort(portBase), purpose: 'the gateway of the nodes' },
  ]);
}

function refuseSecondStart(dataDir: string): void {
  let pid: number;
  try {
    pid = readClusterFile(dataDir).pid;
    process.kill(pid, 0);
  } catch {
    return;
  }
  throw new UserError(
    `a cluster runs in ${dataDir} already (process ${pid}); stop it, or take another --data-dir`,
  );
}
