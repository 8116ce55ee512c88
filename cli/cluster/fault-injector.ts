import { UserError } from '../../shared/lifecycle.ts';
import type { Apiserver } from './apiserver.ts';
import { installCni, removeCni } from './cni.ts';
import type { Fault, Killable } from './faults.ts';
import type { Gateway } from './gateway.ts';
import type { Relay } from './relay/process.ts';

/** One node, as far as faults reach it. */
export interface FaultTarget {
  name: string;
  cniFolder: string;
  apiserver: Apiserver | null;
  pidOf(part: Killable): number | undefined;
}

/** Makes faults in a running loopback cluster and undoes them. The services know nothing of it. */
export class FaultInjector {
  private readonly relay: Relay;
  private readonly gateway: Gateway;
  private readonly nodes: FaultTarget[];
  private readonly paused = new Set<number>();

  constructor(relay: Relay, gateway: Gateway, nodes: FaultTarget[]) {
    this.relay = relay;
    this.gateway = gateway;
    this.nodes = nodes;
  }

  /**
   * @returns what was done, in a sentence
   * @throws UserError when there is no such node, or the part does not run
   */
  async apply(fault: Fault): Promise<string> {
    switch (fault.fault) {
      case 'cut-link':
        this.relay.set(true);
        return 'the link between the nodes is cut';
      case 'close-gateway':
        this.gateway.close();
        return 'the gateway does not answer any more';
      case 'stop-api':
        await this.apiserver(fault.node).stop();
        return `the kube-apiserver of ${fault.node} is stopped`;
      case 'start-api':
        this.apiserver(fault.node).start();
        return `the kube-apiserver of ${fault.node} is started`;
      case 'remove-cni':
        removeCni(this.target(fault.node).cniFolder);
        return `the CNI configuration of ${fault.node} is gone`;
      case 'kill':
        process.kill(this.pid(fault.node, fault.part), 'SIGKILL');
        return `killed the ${fault.part} of ${fault.node}`;
      case 'pause':
        this.pause(this.pid(fault.node, fault.part));
        return `the ${fault.part} of ${fault.node} is paused`;
      case 'heal':
        await this.heal();
        return 'all faults are undone';
    }
  }

  /** Lets paused processes go on: a paused one cannot stop in order. */
  resumeAll(): void {
    for (const pid of this.paused) {
      try {
        process.kill(pid, 'SIGCONT');
      } catch {
        // It was killed meanwhile.
      }
    }
    this.paused.clear();
  }

  private async heal(): Promise<void> {
    this.resumeAll();
    this.relay.set(false);
    await this.gateway.open();
    for (const { cniFolder, apiserver } of this.nodes) {
      installCni(cniFolder);
      apiserver?.start();
    }
  }

  private pause(pid: number): void {
    process.kill(pid, 'SIGSTOP');
    this.paused.add(pid);
  }

  private target(name: string): FaultTarget {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node) return node;
    const names = this.nodes.map((candidate) => candidate.name).join(' and ');
    throw new UserError(`there is no node "${name}": the nodes are ${names}`);
  }

  private apiserver(node: string): Apiserver {
    const { apiserver } = this.target(node);
    if (!apiserver) throw new UserError('this cluster runs without kube-apiservers');
    return apiserver;
  }

  private pid(node: string, part: Killable): number {
    const pid = this.target(node).pidOf(part);
    if (pid === undefined) throw new UserError(`the ${part} of ${node} does not run`);
    return pid;
  }
}
