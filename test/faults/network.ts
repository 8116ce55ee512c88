import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/**
 * The network of a site: two nodes and a gateway, each in a network namespace of its own with one NIC, on a bridge in a fourth
 * namespace, which is the switch. Names hold this process' id and a number, so that sites do not meet; {@link Network.close} removes all.
 */

export type NodeName = 'node-a' | 'node-b';
export const nodeNames: readonly NodeName[] = ['node-a', 'node-b'];
type Plugged = NodeName | 'gateway';
export type Place = Plugged | 'switch';

export const addresses = { 'node-a': '10.0.0.1', 'node-b': '10.0.0.2', gateway: '10.0.0.254' } as const;
/** The same places in an IPv6 site (unique local addresses). */
export const addresses6 = { 'node-a': 'fd00::1', 'node-b': 'fd00::2', gateway: 'fd00::254' } as const;
/** A host behind the gateway, in TEST-NET-1. */
export const wanAddress = '192.0.2.1';
const senders = { ...addresses, wan: wanAddress } as const;
export const vnic = 'vf0';

const plugged: readonly Plugged[] = ['node-a', 'node-b', 'gateway'];
const places: readonly Place[] = ['switch', ...plugged];

export class Network {
  static #count = 0;
  readonly #number = Network.#count++;
  readonly #made: Place[] = [];

  constructor() {
    removeLeftovers();
    for (const place of places) {
      run('ip', 'netns', 'add', this.namespace(place));
      this.#made.push(place);
      this.ip(place, 'link', 'set', 'lo', 'up');
    }
    this.ip('switch', 'link', 'add', 'br0', 'type', 'bridge');
    this.ip('switch', 'link', 'set', 'br0', 'up');
    for (const place of plugged) this.#plugIn(place);
    this.ip('gateway', 'address', 'add', `${wanAddress}/32`, 'dev', 'lo');
    for (const node of nodeNames) this.addVnic(node);
  }

  /** From now on the nodes have IPv6 too, and the only default route is IPv6's. */
  useIPv6(): void {
    for (const place of plugged) {
      this.ip(place, 'address', 'add', `${addresses6[place]}/64`, 'dev', 'eth0', 'nodad');
      if (place === 'gateway') continue;
      this.ip(place, 'route', 'del', 'default');
      this.ip(place, '-6', 'route', 'add', 'default', 'via', addresses6.gateway);
    }
  }

  namespace(place: Place): string {
    return `twonode-${process.pid}-${this.#number}-${place}`;
  }

  /** Runs `ip` with these arguments inside a namespace. */
  ip(place: Place, ...args: string[]): void {
    run('ip', '-n', this.namespace(place), ...args);
  }

  /** Pulls the cable of a node, or of the gateway: its carrier is lost. */
  unplug(place: Plugged): void {
    this.ip('switch', 'link', 'set', port(place), 'down');
  }

  plugBackIn(place: Plugged): void {
    this.ip('switch', 'link', 'set', port(place), 'up');
  }

  disableNic(node: NodeName): void {
    this.ip(node, 'link', 'set', 'eth0', 'down');
  }

  enableNic(node: NodeName): void {
    this.ip(node, 'link', 'set', 'eth0', 'up');
    // It went with the interface.
    this.ip(node, 'route', 'replace', 'default', 'via', addresses.gateway);
  }

  /** The switch forwards nothing while all carriers stay. */
  stopSwitch(): void {
    this.ip('switch', 'link', 'set', 'br0', 'down');
  }

  startSwitch(): void {
    this.ip('switch', 'link', 'set', 'br0', 'up');
  }

  /** The nodes reach the gateway, but not each other: isolated ports of a bridge exchange nothing. */
  separate(separated: boolean): void {
    for (const node of nodeNames) {
      const isolated = separated ? 'on' : 'off';
      run('bridge', '-n', this.namespace('switch'), 'link', 'set', 'dev', port(node), 'isolated', isolated);
    }
  }

  /** The switch's port of a node passes nothing on, in neither direction, while the carrier stays. */
  killUplink(node: NodeName): void {
    this.#setPortState(node, 'disabled');
  }

  reviveUplink(node: NodeName): void {
    this.#setPortState(node, 'forwarding');
  }

  #setPortState(node: NodeName, state: 'disabled' | 'forwarding'): void {
    const number = state === 'disabled' ? '0' : '3';
    run('bridge', '-n', this.namespace('switch'), 'link', 'set', 'dev', port(node), 'state', number);
  }

  /** Drops what a node gets from there, at random; with probability 1 all of it. */
  lose(node: NodeName, from: keyof typeof senders, probability: number): void {
    const random = ['-m', 'statistic', '--mode', 'random', '--probability', String(probability)];
    const rule = ['INPUT', '-s', senders[from], ...(probability < 1 ? random : []), '-j', 'DROP'];
    run('ip', 'netns', 'exec', this.namespace(node), 'iptables', '-w', '-A', ...rule);
  }

  /** Drops all of the TCP link between the nats-servers, in both directions; beats and all else pass. {@link loseNothing} ends it. */
  stallLog(leafPort: number): void {
    for (const [node, side] of [
      ['node-a', '--dport'],
      ['node-b', '--sport'],
    ] as const) {
      const rule = ['INPUT', '-p', 'tcp', side, String(leafPort), '-j', 'DROP'];
      run('ip', 'netns', 'exec', this.namespace(node), 'iptables', '-w', '-A', ...rule);
    }
  }

  /** How many packets a node's rules have dropped so far. */
  lost(node: NodeName): number {
    const rules = run('ip', 'netns', 'exec', this.namespace(node), 'iptables', '-w', '-nvxL', 'INPUT');
    const counts = [...rules.matchAll(/^\s*(\d+)\s+\d+\s+DROP\s/gm)].map(([, packets]) => Number(packets));
    return counts.reduce((sum, packets) => sum + packets, 0);
  }

  loseNothing(node: NodeName): void {
    run('ip', 'netns', 'exec', this.namespace(node), 'iptables', '-w', '-F', 'INPUT');
  }

  addVnic(node: NodeName): void {
    this.ip(node, 'link', 'add', vnic, 'type', 'veth', 'peer', 'name', `${vnic}-host`);
    for (const name of [vnic, `${vnic}-host`]) this.ip(node, 'link', 'set', name, 'up');
  }

  removeVnic(node: NodeName): void {
    this.ip(node, 'link', 'del', vnic);
  }

  disableVnic(node: NodeName): void {
    this.ip(node, 'link', 'set', vnic, 'down');
  }

  enableVnic(node: NodeName): void {
    this.ip(node, 'link', 'set', vnic, 'up');
  }

  /** Process ids of all that runs in a namespace, by the command line that they match. */
  processes(place: Place, wanted: (commandLine: string) => boolean): number[] {
    const pids = run('ip', 'netns', 'pids', this.namespace(place)).split('\n').filter(Boolean).map(Number);
    return pids.filter((pid) => wanted(commandLine(pid)));
  }

  /** Kills what still runs in the namespaces and removes them; a second call does nothing. */
  close(): void {
    for (const place of this.#made.splice(0)) {
      for (const pid of this.processes(place, () => true)) kill(pid);
      run('ip', 'netns', 'del', this.namespace(place));
    }
  }

  #plugIn(place: Plugged): void {
    const peer = ['peer', 'name', port(place), 'netns', this.namespace('switch')];
    this.ip(place, 'link', 'add', 'eth0', 'type', 'veth', ...peer);
    this.ip('switch', 'link', 'set', port(place), 'master', 'br0', 'up');
    this.ip(place, 'address', 'add', `${addresses[place]}/24`, 'dev', 'eth0');
    this.ip(place, 'link', 'set', 'eth0', 'up');
    if (place !== 'gateway') this.ip(place, 'route', 'add', 'default', 'via', addresses.gateway);
  }
}

/** Whether this process may make network namespaces, veth pairs and bridges. */
export function namespacesArePossible(): boolean {
  const name = `twonode-${process.pid}-try`;
  try {
    run('ip', 'netns', 'add', name);
    run('ip', '-n', name, 'link', 'add', 'br0', 'type', 'bridge');
    run('ip', '-n', name, 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
    return true;
  } catch {
    return false;
  } finally {
    try {
      run('ip', 'netns', 'del', name);
    } catch {
      // It was never made.
    }
  }
}

/** Removes the namespaces of runs that were killed before they could: those of processes that are gone, with nothing in them. */
function removeLeftovers(): void {
  const owned = /^twonode-(\d+)-\S+/;
  for (const line of run('ip', 'netns', 'list').split('\n')) {
    const [name, pid] = owned.exec(line) ?? [];
    if (!name || existsSync(`/proc/${pid}`)) continue;
    if (run('ip', 'netns', 'pids', name).trim() === '') run('ip', 'netns', 'del', name);
  }
}

/** The switch's port of a node. */
function port(place: Plugged): string {
  return `p-${place}`;
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { stdio: 'pipe', encoding: 'utf8' });
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
