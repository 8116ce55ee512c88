import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/**
 * Two nodes, a gateway and a switch, each in a network namespace of its own, as on site: one NIC for each node, all on one
 * bridge. Names are unique to this process, and everything is removed by {@link NodeNamespaces.close}.
 */

export type NodeName = 'node-a' | 'node-b';
type Place = NodeName | 'gateway' | 'switch';

const addresses = { 'node-a': '10.0.0.1', 'node-b': '10.0.0.2', gateway: '10.0.0.254' } as const;
const places: Place[] = ['switch', 'node-a', 'node-b', 'gateway'];
const gatewayPort = 7;

/** Whether this process may make network namespaces, veth pairs and bridges. */
export function namespacesArePossible(): boolean {
  const name = `tn${process.pid}-try`;
  try {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'add', 'br0', 'type', 'bridge');
    ip('-n', name, 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
    return true;
  } catch {
    return false;
  } finally {
    try {
      ip('netns', 'del', name);
    } catch {
      // It was never made.
    }
  }
}

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

/** A verdict, as the prober logs it. */
export interface LoggedVerdict {
  node: NodeName;
  check: string;
  status: string;
  reason: string;
}

interface Wait {
  wanted: (verdict: LoggedVerdict) => boolean;
  resolve: (verdict: LoggedVerdict) => void;
}

export class NodeNamespaces {
  readonly folder = mkdtempSync(join(tmpdir(), 'twonode-netns-'));
  readonly #processes = new Map<string, ChildProcess>();
  readonly #waits = new Set<Wait>();
  readonly #mounts: string[] = [];
  readonly #last = new Map<string, LoggedVerdict>();

  constructor() {
    for (const place of places) ip('netns', 'add', this.#name(place));
    this.inside('switch', 'link', 'add', 'br0', 'type', 'bridge');
    this.inside('switch', 'link', 'set', 'br0', 'up');
    for (const [place, address] of Object.entries(addresses) as [keyof typeof addresses, string][]) {
      this.#plugIn(place, address);
    }
    writeFileSync(join(this.folder, 'cluster.key'), 'c0'.repeat(32));
    writeFileSync(join(this.folder, 'twonode.yaml'), this.#configuration());
  }

  /** Runs `ip` with these arguments inside a namespace. */
  inside(place: Place, ...args: string[]): void {
    ip('-n', this.#name(place), ...args);
  }

  /** The switch's port of a node. */
  port(node: NodeName | 'gateway'): string {
    return `p-${node}`;
  }

  /** The folder of a node's NATS store. */
  store(node: NodeName): string {
    return join(this.folder, node, 'nats');
  }

  /**
   * Gives a node a small file system for its NATS store. Before its prober starts: `ip netns exec` gives that its own view of
   * what is mounted.
   */
  mountStore(node: NodeName, size: string): void {
    mkdirSync(this.store(node), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', this.store(node)]);
    this.#mounts.push(this.store(node));
  }

  remountStore(node: NodeName, options: string): void {
    execFileSync('mount', ['-o', `remount,${options}`, this.store(node)]);
  }

  /** Starts the gateway's TCP service and both probers, and waits until all is well. */
  async start(): Promise<void> {
    const serve = `require('node:net').createServer((s) => s.destroy()).listen(${gatewayPort}, '${addresses.gateway}')`;
    this.#spawn('gateway', 'gateway', ['-e', serve]);
    const well = (['node-a', 'node-b'] as const).flatMap((node) =>
      ['local.nic', 'local.vnic', 'local.storage', 'northsouth.gateway', 'eastwest.beat'].map((check) =>
        this.verdict(node, check, 'ok', 20_000),
      ),
    );
    this.startProber('node-a');
    this.startProber('node-b');
    await Promise.all(well);
  }

  startProber(node: NodeName): void {
    const main = new URL('../../services/prober/main.js', import.meta.url);
    const load = new URL('../../shared/config/load.js', import.meta.url);
    const script = `
      import { runProber } from ${JSON.stringify(main.href)};
      import { loadConfiguration } from ${JSON.stringify(load.href)};
      await runProber(loadConfiguration(process.argv[1]), process.argv[2]);`;
    const file = join(this.folder, 'twonode.yaml');
    const child = this.#spawn(node, node, ['--input-type=module', '-e', script, '--', file, node]);
    if (child.stderr) createInterface(child.stderr).on('line', (line) => this.#logged(line));
  }

  prober(node: NodeName): ChildProcess {
    const child = this.#processes.get(node);
    if (!child) throw new Error(`the prober of ${node} does not run`);
    return child;
  }

  /** What a check of a node was when it was last logged. */
  last(node: NodeName, check: string): string | undefined {
    return this.#last.get(`${node} ${check}`)?.status;
  }

  /**
   * The next time that a check of a node gets this status.
   * @throws Error when that does not happen within `limitMs`
   */
  verdict(node: NodeName, check: string, status: string, limitMs = 15_000): Promise<LoggedVerdict> {
    return new Promise((resolve, reject) => {
      const wait: Wait = {
        wanted: (verdict) => verdict.node === node && verdict.check === check && verdict.status === status,
        resolve: (verdict) => {
          clearTimeout(limit);
          resolve(verdict);
        },
      };
      const limit = setTimeout(() => {
        this.#waits.delete(wait);
        reject(new Error(`${node} ${check}: not ${status} within ${limitMs} ms`));
      }, limitMs);
      this.#waits.add(wait);
    });
  }

  async close(): Promise<void> {
    for (const child of this.#processes.values()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    }
    for (const place of places) ip('netns', 'del', this.#name(place));
    for (const mount of this.#mounts) execFileSync('umount', [mount]);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #name(place: Place): string {
    return `tn${process.pid}-${place}`;
  }

  #plugIn(place: NodeName | 'gateway', address: string): void {
    const peer = ['peer', 'name', this.port(place), 'netns', this.#name('switch')];
    this.inside(place, 'link', 'add', 'eth0', 'type', 'veth', ...peer);
    this.inside('switch', 'link', 'set', this.port(place), 'master', 'br0', 'up');
    this.inside(place, 'link', 'add', 'vf0', 'type', 'veth', 'peer', 'name', 'vf0-host');
    for (const name of ['lo', 'vf0', 'vf0-host', 'eth0']) this.inside(place, 'link', 'set', name, 'up');
    this.inside(place, 'address', 'add', `${address}/24`, 'dev', 'eth0');
  }

  #spawn(name: string, place: Place, args: string[]): ChildProcess {
    const command = ['netns', 'exec', this.#name(place), process.execPath, ...args];
    const child = spawn('ip', command, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#processes.set(name, child);
    return child;
  }

  #logged(line: string): void {
    if (!line.startsWith('{')) return;
    const { msg, ...verdict } = JSON.parse(line) as LoggedVerdict & { msg: string };
    if (msg !== 'verdict') return;
    this.#last.set(`${verdict.node} ${verdict.check}`, verdict);
    for (const wait of [...this.#waits]) {
      if (!wait.wanted(verdict)) continue;
      this.#waits.delete(wait);
      wait.resolve(verdict);
    }
  }

  #configuration(): string {
    return `
apiVersion: twonode.dev/v1alpha1
kind: TwoNodeConfiguration
cluster: netns
dataDir: ${this.folder}
nodes:
  - {name: node-a, role: leader, address: ${addresses['node-a']}}
  - {name: node-b, role: follower, address: ${addresses['node-b']}}
probes:
  nic: {interface: eth0}
  vnic: {interfaces: [vf0]}
  cni: {configDir: "", interfaces: []}
  api: {severity: off}
  peerApi: {severity: off}
  peerIcmp: {severity: off}
  datastore: {severity: off}
  storage: {interval: 500ms}
  northSouth:
    - {name: gateway, address: ${addresses.gateway}, method: tcp, port: ${gatewayPort}}
`;
  }
}
