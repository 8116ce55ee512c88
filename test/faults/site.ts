import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { stringify } from 'yaml';
import { Closers } from '../../cli/cluster/closers.ts';
import { cniFolder } from '../../cli/cluster/layout.ts';
import { openPki } from '../../cli/cluster/pki.ts';
import { ensureClusterKey, markNewCluster } from '../../cli/node/init.ts';
import { findBinary } from '../../shared/binaries/find.ts';
import { loadConfiguration } from '../../shared/config/load.ts';
import type { NodeState } from '../../shared/node.ts';
import { nodePaths } from '../../shared/paths.ts';
import { counters } from './informer.ts';
import { Machine } from './machine.ts';
import { addresses, Network, type NodeName, nodeNames, vnic, wanAddress } from './network.ts';

/** What a row of the table says of a node; `off`: it has no power, and its peer shows it as Impaired. */
export type Expected = NodeState | 'off';
export type ExpectedStates = Record<NodeName, Expected>;
/** A part of the warning that a node must show. */
export interface ExpectedWarning {
  node: NodeName;
  text: string;
}

/** A state message older than this says nothing, in milliseconds: its ttl. */
const freshMs = 3_000;
const upLimitMs = 120_000;
const pollMs = 50;
const configName = 'twonode.yaml';

/** What differs from the usual site. */
export interface SiteOptions {
  /** Settings by probe. */
  probes?: Record<string, object>;
  ack?: 'both' | 'local';
}

/** A whole site: network, two machines with all that runs on them, and a client beside each. */
export class Site {
  readonly network: Network;
  readonly machines: Record<NodeName, Machine>;
  readonly folder: string;
  readonly #closers: Closers;

  private constructor(
    network: Network,
    folder: string,
    machines: Record<NodeName, Machine>,
    closers: Closers,
  ) {
    this.network = network;
    this.folder = folder;
    this.machines = machines;
    this.#closers = closers;
  }

  /** Builds a site; nothing runs yet. */
  static async build(options: SiteOptions = {}): Promise<Site> {
    const apiserver = await findBinary('kube-apiserver');
    await findBinary('nats-server');
    const folder = mkdtempSync(join(tmpdir(), 'twonode-site-'));
    const configFile = join(folder, configName);
    writeFileSync(configFile, stringify(configuration(folder, options)));
    const config = loadConfiguration(configFile);
    ensureClusterKey(nodePaths(config, 'node-a').clusterKey);
    markNewCluster(config, 'node-a');
    const pki = openPki(join(folder, 'pki'));
    const closers = new Closers();
    try {
      const network = new Network();
      closers.add(() => network.close());
      const machine = (node: NodeName) => {
        const cni = cniFolder(folder, node);
        const made = new Machine({ network, node, config, configFile, cniFolder: cni, pki, apiserver });
        closers.add(() => made.close());
        return made;
      };
      return new Site(network, folder, { 'node-a': machine('node-a'), 'node-b': machine('node-b') }, closers);
    } catch (error) {
      await closers.close();
      throw error;
    }
  }

  get configFile(): string {
    return join(this.folder, configName);
  }

  /** Switches both machines on and waits until all is well, with their kube-apiservers. */
  async start(): Promise<void> {
    await Promise.all(nodeNames.map((node) => this.powerOn(node)));
    await this.untilWell(upLimitMs);
  }

  /** Switches a machine on; its kube-apiserver starts when the webhook has written what it reads. */
  async powerOn(node: NodeName): Promise<void> {
    const machine = this.machines[node];
    machine.powerOn();
    const config = loadConfiguration(this.configFile);
    await until(
      () => existsSync(nodePaths(config, node).admissionConfig),
      upLimitMs,
      `${node} does not start`,
    );
    machine.startApiserver();
  }

  isInState(node: NodeName, expected: Expected): boolean {
    if (expected === 'off') {
      const peer = this.fresh(node === 'node-a' ? 'node-b' : 'node-a')?.peer;
      return !this.machines[node].isOn && peer?.heard === false && peer.state === 'Impaired';
    }
    return this.fresh(node)?.state === expected;
  }

  warnsOf({ node, text }: ExpectedWarning): boolean {
    return this.fresh(node)?.warnings.some((warning) => warning.includes(text)) === true;
  }

  areInStates(states: ExpectedStates): boolean {
    return nodeNames.every((node) => this.isInState(node, states[node]));
  }

  /** @throws Error that says what the states are instead */
  untilStates(states: ExpectedStates, limitMs: number, warning?: ExpectedWarning): Promise<void> {
    const reached = () => this.areInStates(states) && (!warning || this.warnsOf(warning));
    return until(reached, limitMs, () => `instead: ${this.describe()}`);
  }

  /** Leader and Follower, with nothing to warn of, and both kube-apiservers ready. */
  untilWell(limitMs: number): Promise<void> {
    const well = () =>
      this.areInStates({ 'node-a': 'Leader', 'node-b': 'Follower' }) &&
      nodeNames.every((node) => this.fresh(node)?.warnings.length === 0);
    return until(well, limitMs, () => `not well: ${this.describe()}`);
  }

  /** What both nodes say now, for people. */
  describe(): string {
    return nodeNames
      .map((node) => {
        const seen = this.fresh(node);
        if (!seen) return `${node} says nothing`;
        const warnings = seen.warnings.length > 0 ? ` [${seen.warnings.join('; ')}]` : '';
        return `${node} ${seen.state}${seen.reason ? ` (${seen.text || seen.reason})` : ''}${warnings}`;
      })
      .join(', ');
  }

  /** What a node says, unless that is too old, or from before its services were started. */
  fresh(node: NodeName) {
    const { client, startedMs } = this.machines[node];
    const { last } = client;
    return last && last.atMs > Math.max(startedMs, Date.now() - freshMs) ? last.state : null;
  }

  /** Ends everything and removes it. @param keepFolder for a look at the logs */
  async close({ keepFolder = false } = {}): Promise<void> {
    await this.#closers.close();
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}

async function until(
  done: () => boolean,
  limitMs: number,
  otherwise: string | (() => string),
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!done()) {
    if (performance.now() > deadline) {
      throw new Error(typeof otherwise === 'string' ? otherwise : otherwise());
    }
    await delay(pollMs);
  }
}

function configuration(folder: string, { probes = {}, ack = 'both' }: SiteOptions): object {
  return {
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'site',
    dataDir: folder,
    nodes: [
      { name: 'node-a', role: 'leader', address: addresses['node-a'] },
      { name: 'node-b', role: 'follower', address: addresses['node-b'] },
    ],
    probes: {
      nic: { interface: 'eth0', ...probes.nic },
      vnic: { interfaces: [vnic] },
      cni: { configDir: cniFolder(folder, '{node}'), interfaces: [], ...probes.cni },
      memory: { ...probes.memory },
      northSouth: [
        { name: 'gateway', address: addresses.gateway },
        { name: 'wan', address: wanAddress },
      ],
    },
    datastore: { ack, quotaBackendBytes: 64 * 1024 * 1024 },
    approvedMutationList: [
      { apiGroups: [recordsGroup], resources: ['records'] },
      { apiGroups: [counters.group], resources: [counters.plural] },
    ],
  };
}

const recordsGroup = 'faults.twonode.dev';
/** Keys that no list has: only a node that is not restricted may write them. */
export const unlistedPrefix = `/registry/${recordsGroup}/unlisted/`;
/** What the clients write: keys that no kube-apiserver reads, and that a LeaderRX may write. */
export const recordsPrefix = `/registry/${recordsGroup}/records/`;
