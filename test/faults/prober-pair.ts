import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { findBinary } from '../../shared/binaries/find.ts';
import { decodeMessage, type Signal, signalSchema } from '../../shared/messages.ts';
import { deriveSecret } from '../../shared/secrets.ts';

/** A TCP port of 127.0.0.1 that is free now. */
export async function freeTcpPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** A UDP port that is free now. @param address `127.0.0.1` or `::1` */
export async function freeUdpPort(address = '127.0.0.1'): Promise<number> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.bind(0, address);
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

const clusterKey = 'c0'.repeat(32);
const password = deriveSecret(Buffer.from(clusterKey, 'hex'), 'services');

/** Where the nodes are. */
export interface Place {
  /** Where each listens, on a port of its own. */
  bind: string;
  /** Where each reaches the other: another address when a relay stands between them. */
  address: string;
}

export const loopback4: Place = { bind: '127.0.0.1', address: '127.0.0.1' };
export const loopback6: Place = { bind: '::1', address: '::1' };

/** Two probers as processes of their own, and one real nats-server that both publish to. */
export class ProberPair {
  readonly folder = mkdtempSync(join(tmpdir(), 'twonode-prober-'));
  readonly signals = new SignalLog();
  readonly #processes = new Map<string, ChildProcess>();
  readonly #natsPort: number;
  /** The beat ports of node-a and node-b. */
  readonly beatPorts: readonly [number, number];
  #connection: NatsConnection | null = null;

  private constructor(natsPort: number, beatPorts: readonly [number, number]) {
    this.#natsPort = natsPort;
    this.beatPorts = beatPorts;
  }

  /** @param testPointPort TCP port on 127.0.0.1 that serves as the gateway */
  static async start(testPointPort: number, place = loopback4): Promise<ProberPair> {
    const pair = new ProberPair(await freeTcpPort(), [
      await freeUdpPort(place.bind),
      await freeUdpPort(place.bind),
    ]);
    writeFileSync(join(pair.folder, 'cluster.key'), clusterKey);
    writeFileSync(join(pair.folder, 'twonode.yaml'), await pair.#configuration(testPointPort, place));
    writeFileSync(join(pair.folder, 'nats.conf'), natsConfiguration(pair.#natsPort));
    await pair.startNats();
    pair.#connection = await connect({
      port: pair.#natsPort,
      user: 'twonode',
      pass: password,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    pair.#connection.subscribe('twonode.health.>', {
      callback: (error, message) => {
        const signal = decodeMessage(signalSchema, message.data);
        if (!error && signal.ok) pair.signals.add(signal.value);
      },
    });
    await pair.#connection.flush();
    return pair;
  }

  /** The connection of a reader. */
  get bus(): NatsConnection {
    if (!this.#connection) throw new Error('the pair is not started');
    return this.#connection;
  }

  async startNats(): Promise<void> {
    const binary = await findBinary('nats-server');
    this.#run('nats-server', binary, ['-c', join(this.folder, 'nats.conf')]);
    await acceptsTcp(this.#natsPort);
  }

  startProber(node: 'node-a' | 'node-b'): void {
    const main = new URL('../../services/prober/main.js', import.meta.url);
    const load = new URL('../../shared/config/load.js', import.meta.url);
    const script = `
      import { runProber } from ${JSON.stringify(main.href)};
      import { loadConfiguration } from ${JSON.stringify(load.href)};
      await runProber(loadConfiguration(process.argv[1]), process.argv[2]);`;
    const file = join(this.folder, 'twonode.yaml');
    this.#run(node, process.execPath, ['--input-type=module', '-e', script, '--', file, node]);
  }

  /** Signals one of the processes that this pair started. Waits until it is gone. */
  async stop(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#processes.get(name);
    this.#processes.delete(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  async close(): Promise<void> {
    await this.#connection?.close();
    for (const name of [...this.#processes.keys()]) await this.stop(name, 'SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  #run(name: string, command: string, args: string[]): void {
    const child = spawn(command, args, {
      stdio: ['ignore', 'ignore', process.env.TWONODE_TEST_LOG ? 'inherit' : 'ignore'],
    });
    this.#processes.set(name, child);
  }

  async #configuration(testPointPort: number, place: Place): Promise<string> {
    const [portA, portB] = this.beatPorts;
    const node = async (name: string, role: string, beatPort: number) => `
  - name: ${name}
    role: ${role}
    address: "${place.address}"
    bind: "${place.bind}"
    ports: {nats: ${this.#natsPort}, beat: ${beatPort}, proberMetrics: ${await freeTcpPort()}}`;
    return `
apiVersion: twonode.dev/v1alpha1
kind: TwoNodeConfiguration
cluster: test
dataDir: ${this.folder}
nodes:${await node('node-a', 'leader', portA)}${await node('node-b', 'follower', portB)}
probes:
  nic: {interface: lo}
  cni: {configDir: "", interfaces: []}
  api: {severity: off}
  peerApi: {severity: off}
  datastore: {severity: off}
  northSouth:
    - {name: gateway, address: 127.0.0.1, method: tcp, port: ${testPointPort}, interval: 100ms, timeout: 500ms}
`;
  }
}

function natsConfiguration(port: number): string {
  return `listen: "127.0.0.1:${port}"\nauthorization { users: [ {user: twonode, password: "${password}"} ] }\n`;
}

/** Resolves when something listens. @throws Error after 10 s */
async function acceptsTcp(port: number): Promise<void> {
  const until = Date.now() + 10_000;
  while (Date.now() < until) {
    const socket = connectTcp(port, '127.0.0.1');
    const connected = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      once(socket, 'close').then(() => false),
    ]);
    socket.destroy();
    if (connected) return;
  }
  throw new Error(`nothing listens on port ${port} after 10 s`);
}

/** Every signal that came, and waiting for one. */
export class SignalLog {
  readonly all: { signal: Signal; atMs: number }[] = [];
  readonly #waiting = new Set<(signal: Signal) => void>();

  add(signal: Signal): void {
    this.all.push({ signal, atMs: performance.now() });
    for (const wake of [...this.#waiting]) wake(signal);
  }

  /**
   * The next signal, from now on, of which `wanted` holds.
   * @throws Error when none came within `limitMs`
   */
  next(what: string, wanted: (signal: Signal) => boolean, limitMs = 10_000): Promise<Signal> {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`no signal within ${limitMs} ms: ${what}`));
      }, limitMs);
      const look = (signal: Signal) => {
        if (!wanted(signal)) return;
        clearTimeout(limit);
        this.#waiting.delete(look);
        resolve(signal);
      };
      this.#waiting.add(look);
    });
  }

  /** The next signal of one check of one node with this status. */
  status(node: string, key: string, status: Signal['status'], limitMs?: number): Promise<Signal> {
    const wanted = (signal: Signal) =>
      signal.node === node && `${signal.area}.${signal.check}` === key && signal.status === status;
    return this.next(`${node} ${key} ${status}`, wanted, limitMs);
  }
}
