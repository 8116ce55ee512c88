import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, cpSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiserverArguments } from '../../cli/cluster/apiserver.ts';
import { installCni, removeCni } from '../../cli/cluster/cni.ts';
import type { Pki } from '../../cli/cluster/pki.ts';
import { nodePair, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { nodePaths } from '../../shared/paths.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import { deriveSecret, readClusterKey } from '../../shared/secrets.ts';
import { KernelFiles } from './kernel-files.ts';
import type { KubeAccess } from './kube-client.ts';
import type { Network, NodeName } from './network.ts';
import { NodeClient } from './node-client.ts';

const program = fileURLToPath(new URL('../../../bin/twonode.js', import.meta.url));
const storeSize = '256m';
/** Loaded into the services: their wall clock can be set. */
const clock = new URL('clock.js', import.meta.url);

/** The parts of a node that can be killed or stopped one by one. */
export const parts = ['prober', 'shim', 'webhook', 'nats-server', 'kube-apiserver'] as const;
export type Part = (typeof parts)[number];

export interface MachineOptions {
  network: Network;
  node: NodeName;
  config: TwoNodeConfiguration;
  configFile: string;
  cniFolder: string;
  pki: Pki;
  /** Path of kube-apiserver. */
  apiserver: string;
}

/** One machine of the site: power, a store of its own, `twonode run`, a kube-apiserver, and a client beside them. */
export class Machine {
  readonly #options: MachineOptions;
  readonly client: NodeClient;
  /** What this machine's kernel tells. */
  readonly kernel: KernelFiles;
  readonly #root: string;
  readonly #store: string;
  #run: ChildProcess | undefined;
  #startedMs = 0;
  #apiserver: ChildProcess | undefined;

  constructor(options: MachineOptions) {
    const { network, node, config, cniFolder } = options;
    this.#options = options;
    const paths = nodePaths(config, node);
    this.#root = paths.root;
    this.#store = paths.nats;
    mkdirSync(this.#store, { recursive: true });
    this.kernel = new KernelFiles(this.#root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${storeSize}`, 'none', this.#store]);
    installCni(cniFolder);
    const password = deriveSecret(readClusterKey(paths.clusterKey), 'services');
    this.client = new NodeClient(network, node, password);
  }

  get name(): NodeName {
    return this.#options.node;
  }

  /** Power comes back: the kernel has a new boot id, and the services start. */
  powerOn(): void {
    this.kernel.setBootId(randomUUID());
    this.kernel.setLoad(0.1);
    this.kernel.setAvailableMemory(80);
    this.#startServices();
  }

  /**
   * Stops `twonode run` with SIGTERM and starts it again, as `systemctl restart` does. Its kube-apiserver stays.
   * @returns how long its etcd port was away, in milliseconds: from the signal on
   */
  async restartServices(): Promise<number> {
    const startMs = Date.now();
    const run = this.#run;
    if (run && this.isOn) {
      const ended = once(run, 'exit');
      run.kill('SIGTERM');
      await ended;
    }
    this.#startServices();
    await this.client.untilServed();
    return Date.now() - startMs;
  }

  #startServices(): void {
    const { node, configFile } = this.#options;
    this.#startedMs = Date.now();
    this.#run = this.#spawn('node.log', [
      process.execPath,
      program,
      'run',
      '--config',
      configFile,
      '--node',
      node,
    ]);
  }

  /** When its services were last started, in milliseconds since the Unix epoch. */
  get startedMs(): number {
    return this.#startedMs;
  }

  /** Whether `twonode run` was started and has not ended. */
  get isOn(): boolean {
    return this.#run?.exitCode === null && this.#run.signalCode === null;
  }

  /** Power is gone: nothing says goodbye. */
  powerOff(): void {
    const { network, node } = this.#options;
    const pids = network.processes(node, () => true).filter((pid) => pid !== this.client.pid);
    // Stopped first, so that none of them sees another one die.
    for (const pid of pids) signalIfThere(pid, 'SIGSTOP');
    for (const pid of pids) signalIfThere(pid, 'SIGKILL');
    this.#apiserver = undefined;
  }

  /** How the client beside it reaches its kube-apiserver. */
  get apiAccess(): KubeAccess {
    const { config, node, pki } = this.#options;
    const { api } = nodePair(config, node).self.ports;
    return { url: `https://127.0.0.1:${api}`, ca: pki.ca, token: pki.adminToken };
  }

  startApiserver(): void {
    const { config, node, pki, apiserver } = this.#options;
    const args = [...apiserverArguments(config, nodePair(config, node).self, pki), '--bind-address=0.0.0.0'];
    const child = this.#spawn('kube-apiserver.log', [apiserver, ...args]);
    this.#apiserver = child;
    // It ends by itself when its datastore is not there in 20 s; whoever runs it starts it again. One that was killed stays so.
    child.once('exit', (status) => {
      if (status !== null && this.#apiserver === child && this.isOn) this.startApiserver();
    });
  }

  async stopApiserver(): Promise<void> {
    const child = this.#apiserver;
    this.#apiserver = undefined;
    if (!child) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  removeCni(): void {
    removeCni(this.#options.cniFolder);
  }

  restoreCni(): void {
    installCni(this.#options.cniFolder);
  }

  /** Sets the wall clock of this machine's services off by so much, in milliseconds; its timers go on. */
  stepClock(offsetMs: number): void {
    writeFileSync(this.#clockFile, String(offsetMs));
  }

  /** Folder of the JetStream store, on a file system of its own. */
  get store(): string {
    return join(this.#store, 'jetstream');
  }

  /** Fills the file system of the store up to a part of its size: 0.9 leaves one tenth. */
  fillStore(part: number): void {
    const [size, used] = execFileSync('df', ['--output=size,used', '-B1', this.#store], { encoding: 'utf8' })
      .split('\n')[1]
      ?.trim()
      .split(/\s+/)
      .map(Number) ?? [0, 0];
    execFileSync('fallocate', ['-l', String(Math.floor((size ?? 0) * part - (used ?? 0))), this.#filling]);
  }

  /** Fills it to the last byte, whatever else is written there meanwhile. */
  fillStoreToTheEnd(): void {
    const { status } = spawnSync('sh', ['-c', 'cat /dev/zero > "$1"', 'sh', this.#filling]);
    if (status === 0) throw new Error('the store took all');
  }

  emptyStore(): void {
    rmSync(this.#filling, { force: true });
  }

  /** @throws Error when the part does not run */
  signal(part: Part, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    const { network, node } = this.#options;
    const isPart = (line: string) =>
      part === 'nats-server' || part === 'kube-apiserver'
        ? line.split(' ')[0]?.includes(`/${part}`) === true
        : line.includes(` ${part} --config`);
    const pids = network.processes(node, isPart);
    if (pids.length === 0) throw new Error(`the ${part} of ${node} does not run`);
    for (const pid of pids) process.kill(pid, signal);
  }

  /** Switches it off for good. */
  close(): void {
    this.client.close();
    this.powerOff();
    // What is on the store's file system goes with it.
    const log = join(this.#store, 'nats.log');
    if (existsSync(log)) cpSync(log, join(this.#root, 'nats.log'));
    // Lazily: what was killed may take a moment to let go of it.
    execFileSync('umount', ['-l', this.#store]);
  }

  get #clockFile(): string {
    return join(this.#root, 'clock');
  }

  get #filling(): string {
    return join(this.#store, 'filling');
  }

  /** Runs another program on this machine; it ends with the power. */
  run(logFile: string, command: string[]): void {
    this.#spawn(logFile, command);
  }

  /** In the machine's namespace, on the machine's kernel. */
  #spawn(logFile: string, command: string[]): ChildProcess {
    const { network, node } = this.#options;
    // A mount namespace of its own comes with `ip netns exec`.
    const boot = `${this.kernel.mountCommands()} && exec "$@"`;
    const args = ['netns', 'exec', network.namespace(node), 'sh', '-c', boot, 'sh', ...command];
    const log = openSync(join(this.#root, logFile), 'a');
    const env = {
      ...process.env,
      NODE_OPTIONS: `--import ${clock}`,
      TWONODE_TEST_CLOCK: this.#clockFile,
    };
    const child = spawnTethered('ip', args, { deathSignal: 'KILL', env, stdio: ['ignore', log, log] });
    closeSync(log);
    return child;
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}
