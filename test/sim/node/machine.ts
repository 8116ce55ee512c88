import { type MachineClock, SimulatedProcess } from '../clock/process.ts';
import type { Appointment } from '../clock/scheduler.ts';
import { SimulatedConnection } from '../nats/connection.ts';
import { SimulatedServer } from '../nats/server.ts';
import type { NodeName } from '../network.ts';
import type { Random } from '../random.ts';
import type { World } from '../world.ts';
import { simulatedRoot } from './disk.ts';
import { SimulatedProber } from './prober.ts';
import { SimulatedShim } from './shim.ts';

/** How long a process takes until its code runs, and its supervisor until it starts a dead one again: in milliseconds. */
const startMs = { least: 50, most: 300 };
const restartMs = 500;
/** The shim needs its nats-server: it waits for the connection. */
const services = ['prober', 'shim'] as const;
export type ServiceName = (typeof services)[number] | 'nats';

/** A check that a machine's prober runs, and how long it takes to notice that something is bad, or good again. */
const noticeMs: Record<string, { bad: number; good: number }> = {
  'local.nic': { bad: 100, good: 100 },
  'local.cni': { bad: 1_000, good: 1_000 },
  'local.api': { bad: 3_000, good: 1_000 },
  'local.storage': { bad: 1_000, good: 1_000 },
  'local.datastore': { bad: 1_000, good: 500 },
  'northsouth.gateway': { bad: 2_000, good: 500 },
};
export const checks = Object.keys(noticeMs);

/** One of the two machines: its power, clock, disk, and the processes of its node. */
export class SimulatedMachine {
  readonly name: NodeName;
  readonly clock: MachineClock;
  readonly server: SimulatedServer;
  readonly #world: World;
  readonly #random: Random;
  #boots = 0;
  #powered = false;
  prober: SimulatedProber | null = null;
  shim: SimulatedShim | null = null;
  readonly #restarts = new Map<ServiceName, Appointment>();
  /** What each check would find now: empty when all is well. */
  readonly #conditions = new Map<string, string>(checks.map((check) => [check, '']));

  constructor(name: NodeName, world: World, clock: MachineClock) {
    this.name = name;
    this.#world = world;
    this.clock = clock;
    this.#random = world.random.fork();
    this.server = new SimulatedServer(name, {
      scheduler: world.scheduler,
      random: this.#random.fork(),
      clock,
      observer: world.checks,
    });
  }

  get folder(): string {
    return `${simulatedRoot}${this.name}`;
  }

  get powered(): boolean {
    return this.#powered;
  }

  get #bootId(): string {
    return `${this.name}-boot-${this.#boots}`;
  }

  powerOn(): void {
    if (this.#powered) return;
    this.#powered = true;
    this.#boots++;
    this.#world.trace.say(this.name, 'power on');
    this.server.start();
    for (const service of services)
      this.#startLater(service, this.#random.between(startMs.least, startMs.most));
  }

  powerOff(): void {
    if (!this.#powered) return;
    this.#powered = false;
    this.#world.trace.say(this.name, 'power off');
    for (const restart of this.#restarts.values()) restart.cancel();
    this.#restarts.clear();
    this.prober?.process.kill();
    this.shim?.process.kill();
    this.server.kill();
  }

  /** A new disk, while the machine is off. */
  replaceDisk(): void {
    const { files, checks: observer, trace } = this.#world;
    trace.say(this.name, 'the disk is replaced');
    for (const stream of this.server.streams.values()) observer.lost(stream, 0);
    this.server.wipe();
    files.wipe(this.folder);
  }

  /** The streams of the log lose their newest records, while the machine is off: as many as that. */
  truncateLog(records: number): void {
    const { checks: observer, trace, history } = this.#world;
    history.forgetNewest(this.name);
    for (const stream of this.server.streams.values()) {
      if (!stream.config.name.startsWith('TWONODE_LOG_')) continue;
      const last = Math.max(stream.lastSequence - records, stream.firstSequence - 1);
      trace.say(this.name, `${stream.config.name} loses what is behind record ${last}`);
      observer.lost(stream, last);
      stream.truncate(last);
    }
  }

  /** SIGKILL of one process; its supervisor starts it again. */
  kill(service: ServiceName): void {
    if (!this.#powered) return;
    this.#world.trace.say(this.name, `kill ${service}`);
    if (service === 'nats') {
      this.server.kill();
      this.#startLater('nats', restartMs);
    } else {
      this[service]?.process.kill();
    }
  }

  /** SIGSTOP of some processes for a while. */
  pause(paused: readonly ServiceName[], ms: number): void {
    const untilMs = this.#world.scheduler.nowMs + ms;
    this.#world.trace.say(this.name, `pause ${paused.join(' ')} for ${Math.round(ms)} ms`);
    for (const service of paused) {
      const process = service === 'nats' ? this.server.process : this[service]?.process;
      if (process) process.pausedUntilMs = untilMs;
    }
  }

  /** Something that a check looks at changes; the prober notices in its time. */
  condition(check: string, failure: string): void {
    this.#conditions.set(check, failure);
    const { bad, good } = noticeMs[check] ?? { bad: 100, good: 100 };
    this.#world.scheduler.after(failure === '' ? good : bad, null, () => {
      if (this.#conditions.get(check) !== failure) return;
      this.#world.scheduler.after(0, this.prober?.process ?? null, () => this.prober?.found(check, failure));
    });
  }

  #startLater(service: ServiceName, afterMs: number): void {
    this.#restarts.get(service)?.cancel();
    const start = () => {
      this.#restarts.delete(service);
      if (service === 'nats') this.server.start();
      else if (service === 'prober') this.#startProber();
      else this.#startShim();
    };
    this.#restarts.set(service, this.#world.scheduler.after(afterMs, null, start));
  }

  #process(service: 'prober' | 'shim'): SimulatedProcess {
    const { scheduler } = this.#world;
    const process = new SimulatedProcess(`${service}@${this.name}`, this.clock, scheduler.nowMs);
    process.onDeath(() => {
      if (this.#powered)
        this.#startLater(service, restartMs + this.#random.between(startMs.least, startMs.most));
    });
    return process;
  }

  #startProber(): void {
    const { scheduler, config, network, checks: observer } = this.#world;
    const process = this.#process('prober');
    scheduler.after(0, process, () => {
      this.prober = new SimulatedProber(
        {
          config,
          node: this.name,
          bootId: this.#bootId,
          process,
          connection: new SimulatedConnection(process, scheduler, this.server),
          send: (datagram) => network.datagram(this.name, () => this.#world.peerOf(this).hear(datagram)),
          onBeat: (status) => {
            this.#world.trace.say(process.name, `beat ${status}`);
            observer.beat(this.name, status);
          },
        },
        this.#conditions,
      );
    });
  }

  /** A datagram of the peer came in. */
  hear(datagram: Buffer): void {
    const { prober } = this;
    if (prober) this.#world.scheduler.after(0, prober.process, () => prober.receive(datagram));
  }

  #startShim(): void {
    const { scheduler, config, lists, trace, checks: observer } = this.#world;
    const process = this.#process('shim');
    scheduler.after(0, process, () => {
      this.shim = new SimulatedShim({
        config,
        node: this.name,
        bootId: this.#bootId,
        process,
        connection: new SimulatedConnection(process, scheduler, this.server),
        lists: lists[this.name],
        logger: trace.logger(process.name),
        onState: (state) => observer.state(this.name, state.state),
        onExit: (error) => {
          trace.say(process.name, `ends: ${error.message}`);
          observer.exited(this.name, error);
          process.kill();
        },
      });
    });
    process.onDeath(() => observer.state(this.name, null));
  }
}
