import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { findBinary } from '../../shared/binaries/find.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { deriveSecret } from '../../shared/secrets.ts';
import { type CertificateFiles, TestAuthority } from '../certificates.ts';
import { KernelFiles } from './kernel-files.ts';
import { addresses, addresses6, Network, type NodeName, nodeNames, vnic, wanAddress } from './network.ts';
import { VerdictLog } from './verdict-log.ts';

const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
const clusterKey = 'c0'.repeat(32);
/** TCP port on which the gateway answers. */
const servicePort = 7;
/** Small, so that it is full soon. */
const store = { size: '8m', inodes: 64 };

/** What a probe of a node looks at, apart from network and kernel. */
type Part = 'nats-server' | 'api' | 'prober';

export interface ProberSiteOptions {
  /** IP version of the nodes and of the only default route; default: 4. */
  family?: 4 | 6;
  /** Settings that differ from the usual ones, by probe. */
  probes?: Record<string, object>;
  /** Interfaces of the CNI; who names them makes them. */
  cniInterfaces?: string[];
}

/**
 * A site with a prober on each node and what it probes: real network, real nats-server and `ping`, a stand-in for kube-apiserver
 * that answers /readyz, and a store, a CNI folder and a kernel that can be told to be unwell. Nothing else of twonode runs.
 */
export class ProberSite {
  readonly network: Network;
  readonly folder = mkdtempSync(join(tmpdir(), 'twonode-prober-site-'));
  readonly verdicts = new VerdictLog();
  readonly kernels: Record<NodeName, KernelFiles>;
  readonly #natsServer: string;
  readonly #certificate: CertificateFiles;
  readonly #processes = new Map<string, ChildProcess>();

  private constructor(network: Network, natsServer: string, options: ProberSiteOptions) {
    const { family = 4, probes = {}, cniInterfaces = [] } = options;
    this.network = network;
    this.#natsServer = natsServer;
    if (family === 6) network.useIPv6();
    this.kernels = { 'node-a': this.#makeNode('node-a'), 'node-b': this.#makeNode('node-b') };
    this.#certificate = new TestAuthority(this.folder, 'ca').issue('api');
    writeFileSync(join(this.folder, 'cluster.key'), clusterKey);
    writeFileSync(this.configFile, stringify(configuration(this.folder, family, cniInterfaces, probes)));
  }

  static async build(options: ProberSiteOptions = {}): Promise<ProberSite> {
    return new ProberSite(new Network(), await findBinary('nats-server'), options);
  }

  get configFile(): string {
    return join(this.folder, 'twonode.yaml');
  }

  /** The folder of a node's NATS store. */
  store(node: NodeName): string {
    return join(this.folder, node, 'nats');
  }

  cniFolder(node: NodeName): string {
    return join(this.folder, node, 'cni');
  }

  /** Starts everything, and waits until all is well. */
  async start(): Promise<void> {
    const serve = `require('node:net').createServer((s) => s.destroy()).listen(${servicePort})`;
    this.#spawn('gateway', 'service', [process.execPath, '-e', serve]);
    for (const node of nodeNames) {
      this.startNats(node);
      this.startApi(node);
      this.startProber(node);
    }
    await this.untilWell();
  }

  /** Resolves when every check of both nodes is well. */
  async untilWell(): Promise<void> {
    const checks = ['nic', 'vnic', 'cni', 'api', 'datastore', 'storage', 'cpu', 'memory'].map(
      (check) => `local.${check}`,
    );
    checks.push('eastwest.beat', 'eastwest.icmp', 'eastwest.api');
    checks.push('northsouth.gateway', 'northsouth.wan', 'northsouth.service');
    await Promise.all(nodeNames.flatMap((node) => checks.map((check) => this.verdicts.untilOk(node, check))));
  }

  startNats(node: NodeName): void {
    this.#spawn(node, 'nats-server', [this.#natsServer, '-c', join(this.folder, node, 'nats.conf')]);
  }

  startApi(node: NodeName): void {
    const { key, cert } = this.#certificate;
    const serve = `
      const { readFileSync } = require('node:fs');
      const tls = { key: readFileSync(process.argv[1]), cert: readFileSync(process.argv[2]) };
      require('node:https').createServer(tls, (_, response) => response.end('ok')).listen(6443);`;
    this.#spawn(node, 'api', [process.execPath, '-e', serve, key, cert]);
  }

  /** @param prefix what becomes the prober in the end, such as `setpriv` with its options */
  startProber(node: NodeName, prefix: string[] = []): void {
    const command = [process.execPath, program, 'prober', '--config', this.configFile, '--node', node];
    const child = this.#spawn(node, 'prober', [...prefix, ...command]);
    if (child.stderr) createInterface(child.stderr).on('line', (line) => this.verdicts.take(line));
  }

  /** Process id of a part. @throws Error when it does not run */
  pid(node: NodeName, part: Part): number {
    const pid = this.#processes.get(`${node} ${part}`)?.pid;
    if (pid === undefined) throw new Error(`the ${part} of ${node} does not run`);
    return pid;
  }

  /** Kills a part and waits until it is gone. */
  async kill(node: NodeName, part: Part): Promise<void> {
    const child = this.#processes.get(`${node} ${part}`);
    this.#processes.delete(`${node} ${part}`);
    if (child) await end(child);
  }

  /** Runs a program in a node's namespace. @returns what it printed */
  run(node: NodeName, command: string, ...args: string[]): string {
    const inside = ['netns', 'exec', this.network.namespace(node), command, ...args];
    return execFileSync('ip', inside, { stdio: 'pipe', encoding: 'utf8' });
  }

  remountStore(node: NodeName, options: string): void {
    execFileSync('mount', ['-o', `remount,${options}`, this.store(node)]);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#processes.values()].map(end));
    this.network.close();
    for (const node of nodeNames) execFileSync('umount', ['-l', this.store(node)]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #makeNode(node: NodeName): KernelFiles {
    for (const folder of [this.store(node), this.cniFolder(node)]) mkdirSync(folder, { recursive: true });
    const options = `size=${store.size},nr_inodes=${store.inodes},mode=0777`;
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', this.store(node)]);
    writeFileSync(join(this.cniFolder(node), '10-site.conflist'), '{}');
    writeFileSync(join(this.folder, node, 'nats.conf'), natsConfiguration(join(this.folder, node)));
    return new KernelFiles(join(this.folder, node));
  }

  #spawn(place: NodeName | 'gateway', part: string, command: string[]): ChildProcess {
    const boot = place === 'gateway' ? 'exec "$@"' : `${this.kernels[place].mountCommands()} && exec "$@"`;
    const args = ['netns', 'exec', this.network.namespace(place), 'sh', '-c', boot, 'sh', ...command];
    const child = spawnTethered('ip', args, { deathSignal: 'KILL', stdio: ['ignore', 'ignore', 'pipe'] });
    this.#processes.set(`${place} ${part}`, child);
    return child;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

function natsConfiguration(folder: string): string {
  const password = deriveSecret(Buffer.from(clusterKey, 'hex'), 'services');
  return `
listen: "127.0.0.1:4222"
http: "127.0.0.1:8222"
jetstream { store_dir: "${folder}/jetstream", max_file_store: 16MB }
authorization { users: [ {user: twonode, password: "${password}"} ] }
`;
}

function configuration(
  folder: string,
  family: 4 | 6,
  cniInterfaces: string[],
  probes: Record<string, object>,
): object {
  const at = family === 6 ? addresses6 : addresses;
  return {
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'probers',
    dataDir: folder,
    nodes: [
      { name: 'node-a', role: 'leader', address: at['node-a'] },
      { name: 'node-b', role: 'follower', address: at['node-b'] },
    ],
    probes: {
      nic: { interface: 'eth0' },
      vnic: { interfaces: [vnic] },
      cni: { configDir: join(folder, '{node}', 'cni'), interfaces: cniInterfaces },
      northSouth: [
        { name: 'gateway' },
        { name: 'wan', address: family === 6 ? at.gateway : wanAddress },
        { name: 'service', address: at.gateway, method: 'tcp', port: servicePort },
      ],
      ...probes,
    },
  };
}
