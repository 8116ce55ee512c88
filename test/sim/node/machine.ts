import { bandOf } from '../checks.ts';
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
/** What a node that restarts tells its peer (services/prober/main.ts), and how long its services may take to stop. */
const restartingMs = 10_000;
const stopLimitMs = 8_000;
const stopLookMs = 10;
/** How often it is looked whether there is room again, and the pause after a restart for that. */
const freeLookMs = 2_000;
const freedPauseMs = 30_000;
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
  /** It stops on purpose; afterwards this is done. */
  #stopping: { next: () => void } | null = null;
  /** It said that it is back by then. */
  backUntilMs = 0;
  /** When its nats-server was last restarted because a full disk had room again. */
  #freedMs = Number.NEGATIVE_INFINITY;
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
    if (this.#stopping) this.#stopping.next = () => this.powerOn();
    if (this.#powered) return;
    this.#boots++;
    this.#world.trace.say(this.name, 'power on');
    this.#start();
  }

  #start(): void {
    this.#powered = true;
    this.server.start();
    for (const service of services)
      this.#startLater(service, this.#random.between(startMs.least, startMs.most));
  }

  powerOff(): void {
    if (!this.#powered) return;
    this.#world.trace.say(this.name, 'power off');
    this.#goOff();
  }

  #goOff(): void {
    this.#powered = false;
    this.#stopping = null;
    for (const restart of this.#restarts.values()) restart.cancel();
    this.#restarts.clear();
    this.prober?.process.kill();
    this.shim?.process.kill();
    this.server.kill();
  }

  /** `twonode leave`, the services stop, and the power goes off. */
  leave(): void {
    this.#stop(null, () => undefined);
  }

  /** `systemctl restart`: within one boot. */
  restart(): void {
    this.backUntilMs = this.#world.scheduler.nowMs + restartingMs;
    this.#stop(restartingMs, () => this.#start());
  }

  #stop(restartingInMs: number | null, next: () => void): void {
    if (!this.#powered || this.#stopping) return;
    const { scheduler, trace } = this.#world;
    trace.say(this.name, restartingInMs === null ? 'leaves' : 'restarts');
    const stopping = { next };
    this.#stopping = stopping;
    const { prober, shim } = this;
    if (prober) scheduler.after(0, prober.process, () => prober.stop(restartingInMs));
    if (shim) scheduler.after(0, shim.process, () => void shim.stop());
    const isEnded = () => !prober?.process.alive && !shim?.process.alive;
    const limitMs = scheduler.nowMs + stopLimitMs;
    const look = () => {
      if (this.#stopping !== stopping) return;
      if (!isEnded() && scheduler.nowMs < limitMs) {
        scheduler.after(stopLookMs, null, look);
        return;
      }
      this.#goOff();
      stopping.next();
    };
    look();
  }

  /** The disk is full, for everything on it. @returns makes room */
  fillDisk(): () => void {
    const { files } = this.#world;
    const empty = files.fill(this.folder);
    this.server.isFull = true;
    this.condition('local.storage', 'the disk is full');
    return () => {
      empty();
      this.server.isFull = false;
      this.condition('local.storage', '');
      this.#watchFreeDisk();
    };
  }

  /** shared/nats-server/free-disk-watch.ts: restarts a nats-server that has met a full disk, once there is room. */
  #watchFreeDisk(): void {
    const { scheduler } = this.#world;
    const pauseMs = Math.max(this.#freedMs + freedPauseMs - scheduler.nowMs, 0);
    scheduler.after(pauseMs + this.#random.between(0, freeLookMs), null, () => {
      if (!this.server.hasFault || this.server.isFull || !this.server.isUp) return;
      this.#freedMs = scheduler.nowMs;
      this.kill('nats');
    });
  }

  /** A new disk, while the machine is off: all is gone, or only the store of its nats-server. */
  replaceDisk(lost: 'everything' | 'the store'): void {
    this.#damage(`${lost} is lost`, () => {
      this.server.wipe();
      if (lost === 'everything') this.#world.files.wipe(this.folder);
    });
  }

  /** The streams of the log lose their newest records, while the machine is off: as many as that. */
  truncateLog(records: number): void {
    this.#damage(`the logs lose ${records} records`, () => {
      for (const stream of this.server.streams.values()) {
        if (!stream.config.name.startsWith('TWONODE_LOG_')) continue;
        stream.truncate(Math.max(stream.lastSequence - records, stream.firstSequence - 1));
      }
    });
  }

  /** A copy of the disk as it is now. @returns puts it back, while the machine is off: everything, or only the store */
  copyDisk(): (back: 'everything' | 'the store') => void {
    const store = this.server.copyStore();
    const files = this.#world.files.copy(this.folder);
    return (back) =>
      this.#damage(`${back} is as it was before`, () => {
        this.server.restore(store);
        if (back === 'everything') this.#world.files.restore(this.folder, files);
      });
  }

  #damage(what: string, change: () => void): void {
    const { checks: observer, trace, history, watchers } = this.#world;
    trace.say(this.name, `the disk: ${what}`);
    history.forgetNewest(this.name);
    const before = [...this.server.streams.values()].flatMap(({ messages }) => [...messages.values()]);
    change();
    const bands = observer.diskLost(this.name, before);
    history.forgetBands(bands);
    for (const watcher of watchers) if (bands.has(bandOf(watcher.revision))) watcher.startAnew();
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
      if (this.#powered && !this.#stopping)
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
