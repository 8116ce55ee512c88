import { configSchema, type TwoNodeConfiguration } from '../../shared/config/schema.ts';
import { type MutationLists, mutationLists } from '../../shared/mutation/lists.ts';
import { nodePaths } from '../../shared/paths.ts';
import { Checks } from './checks.ts';
import { ApiConnection } from './clients/connection.ts';
import { History } from './clients/history.ts';
import { Watcher } from './clients/watcher.ts';
import { Writer } from './clients/writer.ts';
import { type MachineClock, SimulatedProcess } from './clock/process.ts';
import { Scheduler } from './clock/scheduler.ts';
import { LeafLink } from './nats/leaf.ts';
import { Network, type NodeName, nodeNames } from './network.ts';
import { SimulatedFiles, simulatedRoot } from './node/disk.ts';
import { SimulatedMachine } from './node/machine.ts';
import { Random } from './random.ts';
import { Silence } from './silence.ts';
import { Trace } from './trace.ts';

/** True time 0 on both wall clocks. */
const startWallMs = Date.parse('2026-01-01T12:00:00Z');

/** How far a machine's clock drifts at most: 500 ppm is a bad one. */
const driftMax = 0.001;
/** Waits after boot, in milliseconds: in a minute the default of 30 s would seldom be over. */
const bootGracesMs = [2_000, 10_000] as const;

const smallQuotaBytes = 96 * 1024;

/** The configuration of the pair: the product's defaults, but with shorter waits, so that a minute holds more. */
function simulatedConfig(): TwoNodeConfiguration {
  return configSchema.parse({
    apiVersion: 'twonode.dev/v1alpha1',
    kind: 'TwoNodeConfiguration',
    cluster: 'simulated',
    nodes: [
      { name: 'node-a', role: 'leader', address: '10.0.0.1' },
      { name: 'node-b', role: 'follower', address: '10.0.0.2' },
    ],
    dataDir: simulatedRoot,
    probes: {
      nic: { interface: 'eth0' },
      northSouth: [{ name: 'gateway', address: '10.0.0.254' }],
    },
    defaults: 'replace',
    approvedMutationList: [{ resources: ['configmaps'] }],
    impairedMutationList: [],
  });
}

/** Two machines, the link between them, and clients on each: all that one seed runs. */
export class World {
  readonly random: Random;
  readonly scheduler = new Scheduler();
  readonly trace = new Trace(this.scheduler);
  readonly config: TwoNodeConfiguration;
  readonly lists: Record<NodeName, MutationLists>;
  readonly files = new SimulatedFiles();
  readonly network: Network;
  readonly checks: Checks;
  readonly history: History;
  readonly machines: Record<NodeName, SimulatedMachine>;
  readonly watchers: Watcher[] = [];
  readonly #writers: SimulatedProcess[] = [];

  /** @param keepsContents keep copies of what clients saw, to say what differs */
  constructor(seed: number, keepsContents: boolean) {
    this.random = new Random(seed);
    this.config = simulatedConfig();
    // The schema's least quota is far above what a minute writes. With a small one the log is cleaned.
    if (this.random.chance(0.3)) this.config.datastore.quotaBackendBytes = smallQuotaBytes;
    if (this.random.chance(0.2)) this.config.datastore.ack = 'local';
    this.config.states.bootGrace = this.random.pick(bootGracesMs);
    this.lists = {
      'node-a': mutationLists(this.config, 'node-a'),
      'node-b': mutationLists(this.config, 'node-b'),
    };
    this.network = new Network(this.scheduler, this.random.fork());
    const nowMs = () => this.scheduler.nowMs;
    const say = (who: string, text: string) => this.trace.say(who, text);
    this.checks = new Checks({
      nowMs,
      say,
      streams: (node) => this.machines[node].server.streams,
      onAlarm: (node) => silence.alarm(node),
    });
    this.history = new History({
      nowMs,
      say,
      broken: (invariant, text) => this.checks.broken(invariant, text),
      restrictedSinceMs: (node) => this.checks.restrictedSinceMs(node),
      keepsContents,
    });
    const clock = (): MachineClock => ({
      wallOffsetMs: startWallMs,
      rate: 1 + this.random.between(-driftMax, driftMax),
    });
    this.machines = {
      'node-a': new SimulatedMachine('node-a', this, clock()),
      'node-b': new SimulatedMachine('node-b', this, clock()),
    };
    const silence = new Silence({
      nowMs,
      network: this.network,
      machines: this.machines,
      broken: (invariant, text) => this.checks.broken(invariant, text),
      beatOf: (node) => this.checks.beatOf(node),
      stateOf: (node) => this.checks.stateOf(node),
    });
    this.scheduler.afterEvent = () => silence.look();
    this.scheduler.onUncaught = (process, error) =>
      this.checks.broken('uncaught', `${process?.name}: ${(error as Error).stack}`);
  }

  peerOf({ name }: SimulatedMachine): SimulatedMachine {
    return this.machines[name === 'node-a' ? 'node-b' : 'node-a'];
  }

  /** A new cluster, as `twonode init` prepares it, with its clients. */
  start(): void {
    const { 'node-a': leader, 'node-b': follower } = this.machines;
    this.files.write(nodePaths(this.config, 'node-a').initMark, '');
    new LeafLink(this.scheduler, this.network, { 'node-a': leader.server, 'node-b': follower.server });
    for (const node of nodeNames) this.machines[node].powerOn();
    for (const node of nodeNames) this.#startClients(this.machines[node]);
    this.#client('mover', (process) => {
      this.watchers.push(this.#watcher('mover', process, [leader, follower]));
    });
  }

  /** Nothing more is written, so that the nodes can be compared. */
  stopWriters(): void {
    for (const writer of this.#writers) writer.kill();
  }

  #startClients(machine: SimulatedMachine): void {
    const side = machine.name.slice(-1);
    this.#client(`writer-${side}`, (process) => {
      this.#writers.push(process);
      const connection = new ApiConnection(process, this.scheduler, machine);
      const { history } = this;
      new Writer(`writer-${side}`, { connection, random: this.random.fork(), history });
    });
    this.#client(`watcher-${side}`, (process) => {
      this.watchers.push(this.#watcher(`watcher-${side}`, process, [machine]));
    });
  }

  /** Clients live in processes of their own, which never die. */
  #client(name: string, run: (process: SimulatedProcess) => void): void {
    const process = new SimulatedProcess(name, { wallOffsetMs: startWallMs, rate: 1 }, this.scheduler.nowMs);
    this.scheduler.after(1_000, process, () => run(process));
  }

  #watcher(name: string, process: SimulatedProcess, machines: SimulatedMachine[]): Watcher {
    const { scheduler, history } = this;
    return new Watcher(name, process, { scheduler, random: this.random.fork(), history, machines });
  }
}
