import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import type { ClusterNode } from '../../cli/cluster/cluster-file.ts';
import { eventually } from '../eventually.ts';
import { KubeClient } from '../faults/kube-client.ts';
import { type ProgramResult, runProgram } from '../run-program.ts';
import {
  newDataDir,
  newPortBase,
  removeDataDir,
  type StartedCluster,
  startCluster,
  stopCluster,
} from './start-cluster.ts';

const program = fileURLToPath(new URL('../../cli/main.js', import.meta.url));
const kubectlLimitMs = 60_000;

export type NodeName = 'node-a' | 'node-b';

/** A cluster of `npm start`, used as a person does: with kubectl and twonode. */
export class TestCluster {
  readonly dataDir: string;
  readonly #started: StartedCluster;

  private constructor(dataDir: string, started: StartedCluster) {
    this.dataDir = dataDir;
    this.#started = started;
  }

  /** @throws Error with the logs of its nodes when it does not come up */
  static async start(): Promise<TestCluster> {
    const dataDir = newDataDir();
    return new TestCluster(dataDir, await startCluster(dataDir, newPortBase()));
  }

  async stop(): Promise<void> {
    await stopCluster(this.#started);
    removeDataDir(this.dataDir);
  }

  /** The nodes as `cluster.json` has them now. */
  get nodes(): ClusterNode[] {
    return this.#started.read().nodes;
  }

  node(name: NodeName): ClusterNode {
    const found = this.nodes.find((each) => each.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  }

  /** Program and arguments of `kubectl COMMAND` on a node; words of the command are parted by single spaces. */
  kubectlCommand(name: NodeName, command: string): { program: string; args: string[] } {
    const { kubeconfig } = this.node(name);
    const { kubectl } = this.#started.read();
    if (!kubectl || !kubeconfig) throw new Error('there is no kubectl, or no kube-apiserver');
    return { program: kubectl, args: ['--kubeconfig', kubeconfig, ...command.split(' ')] };
  }

  /** Runs `kubectl COMMAND` on a node. @returns all that it printed, also when it failed */
  async kubectl(name: NodeName, command: string, input?: string): Promise<string> {
    const { program, args } = this.kubectlCommand(name, command);
    const { stdout, stderr } = await runProgram(program, args, { input, limitMs: kubectlLimitMs });
    return (stderr + stdout).trim();
  }

  /** Creates an object through a node. @returns what kubectl printed */
  create(name: NodeName, object: object): Promise<string> {
    return this.kubectl(name, 'create -f -', JSON.stringify(object));
  }

  /** Calls of the Kubernetes API on a node, with the rights of kubectl. Close it. */
  kubeClient(name: NodeName): KubeClient {
    const { clusters, users } = parse(readFileSync(this.node(name).kubeconfig ?? '', 'utf8'));
    const { server, 'certificate-authority': ca } = clusters[0].cluster;
    return new KubeClient({ url: server, ca, token: users[0].user.token });
  }

  /** Runs `twonode COMMAND` on this cluster. */
  twonode(command: string): Promise<ProgramResult> {
    const [name = '', ...args] = command.split(' ');
    return runProgram(process.execPath, [program, name, '--data-dir', this.dataDir, ...args]);
  }

  /** Runs `twonode fault COMMAND`. @throws Error when it is refused */
  async fault(command: string): Promise<void> {
    const { status, stderr } = await this.twonode(`fault ${command}`);
    assert.is(status, 0, stderr);
  }

  /** The states of both nodes, as `twonode status` tells them: `Leader Follower`. */
  async states(): Promise<string> {
    const { stdout } = await this.twonode('status --json');
    const { nodes } = JSON.parse(stdout) as { nodes: { state: string }[] };
    return nodes.map(({ state }) => state).join(' ');
  }

  /** Waits until both nodes are in these states. */
  async becomes(states: string): Promise<void> {
    await eventually(
      () => this.states(),
      (now) => now === states,
    );
  }
}
