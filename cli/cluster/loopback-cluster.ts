import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NodeConfiguration } from '../../shared/config/schema.ts';
import { createLogger, type Logger } from '../../shared/logger.ts';
import { nodePaths } from '../../shared/paths.ts';
import { Apiserver } from './apiserver.ts';
import { findClusterBinaries } from './binaries.ts';
import { Closers } from './closers.ts';
import { type Cluster, type ClusterNode, clusterFile, writeClusterFile } from './cluster-file.ts';
import { serveControl } from './control-server.ts';
import { describeNode } from './describe.ts';
import { FaultInjector, type FaultTarget } from './fault-injector.ts';
import { Gateway } from './gateway.ts';
import { cniFolder, gatewayPort } from './layout.ts';
import { startNodeProcess } from './node-process.ts';
import { openPki } from './pki.ts';
import { type PreparedCluster, prepareCluster } from './prepare.ts';
import { startRelay } from './relay/process.ts';
import { routesOf } from './relay/routes.ts';

export interface ClusterOptions {
  dataDir: string;
  /** Lowest of the ports that it uses. */
  portBase: number;
  /** Is told, in a line, what happens. */
  say: (line: string) => void;
}

/** A node of the cluster while it runs. */
interface Member extends FaultTarget {
  node: NodeConfiguration;
  described: ClusterNode;
}

/**
 * Two nodes on this machine: each a `twonode run` and a kube-apiserver, joined by a relay process that stands for the
 * link. `DIR/cluster.json` describes it while it runs.
 */
export class LoopbackCluster {
  private readonly options: ClusterOptions;
  private readonly logger: Logger = createLogger('cluster', 'warn');
  private readonly closers = new Closers();

  constructor(options: ClusterOptions) {
    this.options = options;
  }

  /** @throws UserError after which {@link stop} must be called, as after any start */
  async start(): Promise<Cluster> {
    const { dataDir, portBase, say } = this.options;
    const prepared = await prepareCluster(dataDir, portBase);
    const binaries = await findClusterBinaries(say);
    const gateway = new Gateway(gatewayPort(portBase));
    await gateway.open();
    this.closers.add(() => gateway.close());
    const relay = await startRelay(routesOf(prepared.config), this.logger);
    this.closers.add(() => relay.stop());

    const members = this.members(prepared, binaries.apiserver);
    const faults = new FaultInjector(relay, gateway, members);
    const cluster: Cluster = {
      v: 1,
      pid: process.pid,
      control: await this.openControl(faults),
      config: prepared.configFile,
      kubectl: binaries.kubectl && linkKubectl(binaries.kubectl, dataDir),
      nodes: members.map(({ described }) => described),
    };
    this.closers.add(() => rmSync(clusterFile(dataDir), { force: true }));
    const write = () => writeClusterFile(dataDir, cluster);
    write();
    say('starting the services of both nodes ...');
    await this.startNodes(prepared, members, write);
    if (binaries.apiserver) {
      say('starting both kube-apiservers ...');
      await this.startApiservers(members, write);
    }
    this.closers.add(() => faults.resumeAll());
    return cluster;
  }

  async stop(): Promise<void> {
    await this.closers.close();
  }

  private members({ config }: PreparedCluster, apiserver: string | null): Member[] {
    const pki = openPki(join(this.options.dataDir, 'pki'));
    return config.nodes.map((node): Member => {
      const described = describeNode(node);
      mkdirSync(nodePaths(config, node.name).root, { recursive: true });
      const server = apiserver ? new Apiserver(apiserver, config, node, pki, this.logger) : null;
      return {
        name: node.name,
        node,
        described,
        cniFolder: cniFolder(this.options.dataDir, node.name),
        apiserver: server,
        pidOf: (part) => (part === 'kube-apiserver' ? server?.pid : described.pids[part]),
      };
    });
  }

  /** A socket's path is limited to some 100 bytes, so it is not in the data folder. */
  private async openControl(faults: FaultInjector): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'twonode-'));
    const socket = join(folder, 'control');
    const server = await serveControl(socket, (fault) => faults.apply(fault));
    this.closers.add(() => {
      server.close();
      rmSync(folder, { recursive: true, force: true });
    });
    return socket;
  }

  private async startNodes({ configFile }: PreparedCluster, members: Member[], changed: () => void) {
    const nodes = members.map(({ name, described }) =>
      startNodeProcess({
        node: name,
        configFile,
        logFile: join(this.options.dataDir, name, 'node.log'),
        logger: this.logger,
        onPids: (pids) => {
          described.pids = { ...pids, ...apiserverPid(described.pids['kube-apiserver']) };
          changed();
        },
      }),
    );
    this.closers.add(() => Promise.all(nodes.map((node) => node.stop())));
    await Promise.all(nodes.map((node) => node.up));
  }

  private async startApiservers(members: Member[], changed: () => void): Promise<void> {
    const starts = members.map(async ({ apiserver, described }) => {
      if (!apiserver) return;
      this.closers.add(() => apiserver.stop());
      apiserver.onPid = () => {
        const { 'kube-apiserver': _, ...others } = described.pids;
        described.pids = { ...others, ...apiserverPid(apiserver.pid) };
        changed();
      };
      apiserver.start();
      await apiserver.waitUntilReady();
      described.api = apiserver.url;
      described.kubeconfig = apiserver.kubeconfig;
      changed();
    });
    await Promise.all(starts);
  }
}

/** A short name for the right kubectl: the one on PATH may be too old. */
function linkKubectl(kubectl: string, dataDir: string): string {
  const link = join(dataDir, 'kubectl');
  rmSync(link, { force: true });
  symlinkSync(kubectl, link);
  return link;
}

function apiserverPid(pid: number | undefined): ClusterNode['pids'] {
  return pid === undefined ? {} : { 'kube-apiserver': pid };
}
