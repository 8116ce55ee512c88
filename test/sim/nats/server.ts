import { headers } from 'nats';
import { jetStreamError } from '../../../services/shim/log/stream.ts';
import { leafPermissions } from '../../../shared/nats-server/leaf-permissions.ts';
import { type MachineClock, SimulatedProcess } from '../clock/process.ts';
import type { Scheduler } from '../clock/scheduler.ts';
import { type NodeName, peerOf } from '../network.ts';
import type { Random } from '../random.ts';
import type { CallKind, SimulatedConnection, SimulatedSubscription } from './connection.ts';
import { type ConsumerConfig, SimulatedConsumer } from './consumer.ts';
import { type Envelope, envelope, matches } from './message.ts';
import { SimulatedMirror } from './mirror.ts';
import { ApiFault, SimulatedStream, type StoredMessage, type StreamConfig } from './stream.ts';

/** A subscription; null: the answer to a request of the connection. */
interface Listener {
  connection: SimulatedConnection;
  subscription: SimulatedSubscription | null;
}

/** Streams and durable consumers as they are on disk at one moment. */
export interface StoreCopy {
  streams: SimulatedStream[];
  consumers: { stream: string; config: ConsumerConfig; ackFloor: number }[];
}

/** What the simulation's checks look at. */
export interface ServerObserver {
  /** A message is stored in a stream. */
  stored(node: NodeName, stream: SimulatedStream, message: StoredMessage): void;
  /** Messages of a stream are about to be removed: those before a sequence, or all. */
  removing(node: NodeName, stream: SimulatedStream, before: number | 'all'): void;
}

const noStream = () => new ApiFault(jetStreamError.streamNotFound, 'stream not found', 404);
const noConsumer = () => new ApiFault(jetStreamError.consumerNotFound, 'consumer not found', 404);

/** How long a healthy disk takes to have a record, in milliseconds. */
export const quickSyncMs = { least: 0.2, most: 1 };

/** The nats-server of a node: subjects, and the small part of JetStream that twonode uses. Streams outlive it, on disk. */
export class SimulatedServer {
  readonly node: NodeName;
  readonly random: Random;
  readonly #scheduler: Scheduler;
  readonly #clock: MachineClock;
  readonly #observer: ServerObserver;
  readonly #connections = new Set<SimulatedConnection>();
  readonly #leafPatterns: string[][];
  /** Who listens on a subject that was used; forgotten when a subscription comes or goes. */
  readonly #listeners = new Map<string, Listener[]>();
  readonly #mirrors = new Map<string, SimulatedMirror>();
  /** What waits for the disk; the first of it is being written. */
  #writing: (() => void)[] = [];
  #consumer = 0;
  process: SimulatedProcess;
  /** What is on disk. */
  streams = new Map<string, SimulatedStream>();
  consumers = new Map<string, Map<string, SimulatedConsumer>>();
  /** Sends over the leaf link; null while it is down. */
  leaf: ((message: Envelope) => void) | null = null;
  /** The disk is full: what is to be written fails, and that is not forgotten before a restart. */
  isFull = false;
  /** A stream has met a full disk; `off`: it was a mirror, which switches all of JetStream off. */
  #fault: 'write error' | 'off' | null = null;
  /** Milliseconds that a sync takes, from one moment to another. */
  syncMs = quickSyncMs;

  constructor(
    node: NodeName,
    world: { scheduler: Scheduler; random: Random; clock: MachineClock; observer: ServerObserver },
  ) {
    this.node = node;
    this.random = world.random;
    this.#scheduler = world.scheduler;
    this.#clock = world.clock;
    this.#observer = world.observer;
    const permissions = leafPermissions('node-a', 'node-b');
    const passing = node === 'node-b' ? permissions.publish : permissions.subscribe;
    this.#leafPatterns = passing.map((pattern) => pattern.split('.'));
    this.process = this.#newProcess();
    this.process.kill();
  }

  get isUp(): boolean {
    return this.process.alive;
  }

  #newProcess(): SimulatedProcess {
    return new SimulatedProcess(`nats@${this.node}`, this.#clock, this.#scheduler.nowMs);
  }

  /** What a full disk left behind, and only a restart cures. */
  get hasFault(): boolean {
    return this.#fault !== null;
  }

  start(): void {
    this.#fault = null;
    this.process = this.#newProcess();
    for (const stream of this.streams.values()) this.#attach(stream);
    for (const consumers of this.consumers.values())
      for (const consumer of consumers.values()) consumer.start();
  }

  /** SIGKILL or power loss: what is being written may be on disk or not, what was synced is. */
  kill(): void {
    if (!this.isUp) return;
    const [first] = this.#writing.splice(0);
    if (first && this.random.chance(0.5)) first();
    this.process.kill();
    for (const mirror of this.#mirrors.values()) mirror.stop();
    this.#mirrors.clear();
    for (const stream of this.streams.values()) stream.onStored.clear();
    this.#stopConsumers();
    for (const connection of [...this.#connections]) connection.disconnected();
    this.#connections.clear();
    this.subscriptionsChanged();
  }

  /** Ephemeral consumers are in memory. */
  #stopConsumers(): void {
    for (const consumers of this.consumers.values()) {
      for (const consumer of [...consumers.values()]) {
        consumer.stop();
        if (!consumer.config.durable_name) consumers.delete(consumer.name);
      }
    }
  }

  /** The disk is gone, and all that was on it. */
  wipe(): void {
    this.streams = new Map();
    this.consumers = new Map();
  }

  /** What is on disk now, to be put back by {@link restore} while the server is off. */
  copyStore(): StoreCopy {
    const streams = [...this.streams.values()].map((stream) => stream.copy());
    const consumers = [...this.consumers].flatMap(([stream, durables]) =>
      [...durables.values()]
        .filter(({ config }) => config.durable_name)
        .map(({ config, ackFloor }) => ({ stream, config, ackFloor })),
    );
    return { streams, consumers };
  }

  restore({ streams, consumers }: StoreCopy): void {
    this.wipe();
    for (const stream of streams) this.streams.set(stream.config.name, stream);
    for (const { stream, config, ackFloor } of consumers) {
      this.addConsumer(stream, config);
      const consumer = this.consumers.get(stream)?.get(config.durable_name ?? '');
      if (consumer) consumer.goBackTo(ackFloor);
    }
  }

  // Connections

  accept(connection: SimulatedConnection): boolean {
    if (!this.isUp) return false;
    this.#connections.add(connection);
    this.subscriptionsChanged();
    return true;
  }

  forget(connection: SimulatedConnection): void {
    this.#connections.delete(connection);
    this.subscriptionsChanged();
    for (const consumers of this.consumers.values()) {
      for (const consumer of [...consumers.values()]) {
        if (consumer.config.durable_name || this.#hasInterest(consumer.config.deliver_subject)) continue;
        consumer.stop();
        consumers.delete(consumer.name);
      }
    }
  }

  /** A message that came in from a client of this server (`from` null) or over the leaf. */
  receive(message: Envelope, from: 'leaf' | null): void {
    if (!this.isUp) return;
    if (this.#jetStream(message, from)) return;
    let answered = this.#deliverLocally(message);
    if (from === null && this.leaf && this.crossesLeaf(message.subject)) {
      this.leaf(message);
      answered = true;
    }
    if (!answered) this.refuse(message);
  }

  /** Tells who asked that nobody listens. */
  refuse({ subject, reply }: Envelope): void {
    if (reply.startsWith('twonode.inbox.') && !subject.startsWith('twonode.inbox.')) {
      this.receive(envelope(reply, '', '', headers(503, 'No Responders')), null);
    }
  }

  crossesLeaf(subject: string): boolean {
    const tokens = subject.split('.');
    return this.#leafPatterns.some((pattern) => matches(pattern, tokens));
  }

  #deliverLocally(message: Envelope): boolean {
    const { subject } = message;
    const mirror = this.#mirrorAt(subject);
    if (mirror) this.onDisk(() => mirror.receive(message), 'off');
    const listeners = this.#listenersOf(subject);
    for (const { connection, subscription } of listeners) connection.deliver(message, subscription);
    return mirror !== undefined || listeners.length > 0;
  }

  #listenersOf(subject: string): Listener[] {
    const known = this.#listeners.get(subject);
    if (known) return known;
    const tokens = subject.split('.');
    const found: Listener[] = [];
    for (const connection of this.#connections) {
      if (subject.startsWith(connection.inbox)) found.push({ connection, subscription: null });
      for (const subscription of connection.subscriptions) {
        if (matches(subscription.subject.split('.'), tokens)) found.push({ connection, subscription });
      }
    }
    // The answer to a request comes once.
    if (!subject.startsWith('twonode.inbox.r')) this.#listeners.set(subject, found);
    return found;
  }

  /** A subscription came or went. */
  subscriptionsChanged(): void {
    this.#listeners.clear();
  }

  #mirrorAt(subject: string): SimulatedMirror | undefined {
    if (!subject.startsWith('repl.')) return undefined;
    for (const mirror of this.#mirrors.values()) {
      if (mirror.config.consumer?.deliver_subject === subject && mirror.hasInterest) return mirror;
    }
    return undefined;
  }

  #hasInterest(subject: string): boolean {
    if (subject.startsWith('repl.')) return this.leaf !== null;
    return this.#listenersOf(subject).length > 0;
  }

  // JetStream

  /** What is meant for JetStream itself. */
  #jetStream(message: Envelope, from: 'leaf' | null): boolean {
    const { subject } = message;
    if (subject.startsWith('$JS')) {
      this.#systemMessage(message, from);
      return true;
    }
    for (const stream of this.streams.values()) {
      if (!stream.config.mirror && stream.config.subjects?.includes(subject)) {
        this.onDisk(() => this.#ingest(stream, message));
        return true;
      }
    }
    return false;
  }

  #systemMessage(message: Envelope, from: 'leaf' | null): void {
    const { subject } = message;
    const tokens = subject.split('.');
    if (subject.startsWith('$JS.API.CONSUMER.CREATE.')) {
      const { config } = JSON.parse(Buffer.from(message.data).toString('utf8'));
      this.#answer(message, () => {
        this.admit('write');
        return this.addConsumer(tokens[4] ?? '', config);
      });
    } else if (subject.startsWith(`$JS.${this.node}.API.CONSUMER.RESET.`)) {
      this.#answer(message, () => this.#reset(tokens[5] ?? '', tokens[6] ?? ''));
    } else if (subject.startsWith('$JS.FC.') && from === 'leaf') {
      this.#acknowledge(tokens[2] ?? '', Number(Buffer.from(message.data).toString()));
    } else if (this.leaf && this.crossesLeaf(subject)) {
      this.leaf(message);
    }
  }

  #answer({ reply }: Envelope, run: () => unknown): void {
    let answer: unknown;
    try {
      answer = run();
    } catch (error) {
      if (!(error instanceof ApiFault)) throw error;
      const { code, errCode: err_code, message: description } = error;
      answer = { error: { code, err_code, description } };
    }
    const message = envelope(reply, JSON.stringify(answer));
    if (reply.startsWith('$JSC.R.')) this.leaf?.(message);
    else this.receive(message, null);
  }

  #ingest(stream: SimulatedStream, message: Envelope): void {
    this.#answer(message, () => {
      const timeMs = this.process.wallMs(this.#scheduler.nowMs);
      const seq = stream.publish(message.subject, Buffer.from(message.data), message.headers, timeMs);
      return { stream: stream.config.name, seq };
    });
  }

  /**
   * Runs something when all writes before it, and its own, are synced; never on a full disk.
   * @param fault what a full disk makes of it
   */
  onDisk(run: () => void, fault: 'write error' | 'off' = 'write error'): void {
    if (this.isFull && this.#fault !== 'off') this.#fault = fault;
    if (this.#fault === 'off') for (const mirror of this.#mirrors.values()) mirror.stop();
    if (this.#fault) return;
    this.#writing.push(run);
    if (this.#writing.length === 1) this.#sync();
  }

  #sync(): void {
    const { least, most } = this.syncMs;
    this.#scheduler.after(this.random.between(least, most), this.process, () => {
      const run = this.#writing.shift();
      if (this.#writing.length > 0) this.#sync();
      run?.();
    });
  }

  #attach(stream: SimulatedStream): void {
    stream.onStored.add((message) => this.#observer.stored(this.node, stream, message));
    const { mirror } = stream.config;
    if (mirror?.consumer) this.#mirrors.set(stream.config.name, this.#startMirror(stream, mirror));
  }

  #startMirror(stream: SimulatedStream, config: NonNullable<StreamConfig['mirror']>): SimulatedMirror {
    const { process } = this;
    return new SimulatedMirror(config, stream, {
      after: (delayMs, run) => this.#scheduler.after(delayMs, process, run),
      nowMs: () => this.#scheduler.nowMs,
      random: () => this.random.next(),
      requestReset: (mirror, answer) => this.#requestReset(mirror, answer),
      acknowledge: ({ consumer }, sequence) =>
        this.leaf?.(envelope(`$JS.FC.${consumer?.name}`, String(sequence))),
    });
  }

  readonly #resets = new Map<string, (delivered: number | null) => void>();
  #resetRequest = 0;

  #requestReset(
    { name, consumer }: NonNullable<StreamConfig['mirror']>,
    answer: (delivered: number | null) => void,
  ): void {
    if (!this.leaf) return;
    const reply = `$JSC.R.${this.node}.${++this.#resetRequest}`;
    this.#resets.set(reply, answer);
    this.leaf(envelope(`$JS.${peerOf(this.node)}.API.CONSUMER.RESET.${name}.${consumer?.name}`, '', reply));
  }

  /** An answer to a mirror's request came over the leaf. */
  resetAnswered({ subject, data }: Envelope): void {
    const answer = this.#resets.get(subject);
    this.#resets.delete(subject);
    const { delivered } = JSON.parse(Buffer.from(data).toString()) as { delivered?: number };
    answer?.(delivered ?? null);
  }

  #reset(stream: string, name: string): { delivered: number } {
    const consumer = this.consumers.get(stream)?.get(name);
    if (!consumer) throw noConsumer();
    return { delivered: consumer.reset() };
  }

  #acknowledge(name: string, sequence: number): void {
    for (const consumers of this.consumers.values()) {
      const consumer = consumers.get(name);
      if (consumer) consumer.ackFloor = Math.max(consumer.ackFloor, sequence);
    }
  }

  /** The leaf is up (again): whoever delivers over it goes on. */
  leafChanged(): void {
    for (const consumers of this.consumers.values())
      for (const consumer of consumers.values()) consumer.pump();
  }

  // The JetStream API

  #stream(name: string): SimulatedStream {
    const stream = this.streams.get(name);
    if (!stream) throw noStream();
    return stream;
  }

  get takesWrites(): boolean {
    return !this.isFull && this.#fault === null;
  }

  /** @throws ApiFault while JetStream is off, or the disk takes nothing */
  admit(kind: CallKind): void {
    if (this.#fault === 'off') throw new ApiFault(10076, 'JetStream not enabled', 503);
    if (kind === 'write' && !this.takesWrites)
      throw new ApiFault(jetStreamError.insufficientResources, 'insufficient resources', 503);
  }

  streamInfo(name: string, withDeleted = false) {
    const stream = this.#stream(name);
    const mirror = this.#mirrors.get(name);
    return {
      config: { ...stream.config },
      created: new Date(stream.createdMs).toISOString(),
      state: stream.state(withDeleted),
      ...(mirror ? { mirror: { name, lag: 0, active: mirror.activeNs } } : {}),
    };
  }

  addStream(config: StreamConfig) {
    const { name } = config;
    if (!this.streams.has(name)) {
      const stream = new SimulatedStream(config, this.process.wallMs(this.#scheduler.nowMs));
      this.streams.set(name, stream);
      this.#attach(stream);
    }
    return this.streamInfo(name);
  }

  /** Takes the mirror off a stream, or changes what else may be changed; a stream cannot become a mirror (10055). */
  updateStream(name: string, config: Partial<StreamConfig>) {
    const stream = this.#stream(name);
    if (config.mirror && !stream.config.mirror) throw new ApiFault(10055, 'stream mirror can not be updated');
    Object.assign(stream.config, config);
    if (!config.mirror && this.#mirrors.has(name)) {
      delete stream.config.mirror;
      this.#mirrors.get(name)?.stop();
      this.#mirrors.delete(name);
    }
    return this.streamInfo(name);
  }

  deleteStream(name: string): boolean {
    const stream = this.#stream(name);
    this.#observer.removing(this.node, stream, 'all');
    this.#mirrors.get(name)?.stop();
    this.#mirrors.delete(name);
    for (const consumer of this.consumers.get(name)?.values() ?? []) consumer.stop();
    this.consumers.delete(name);
    this.streams.delete(name);
    return true;
  }

  purgeStream(name: string, sequence?: number) {
    const stream = this.#stream(name);
    const before = sequence ?? stream.lastSequence + 1;
    this.#observer.removing(this.node, stream, before);
    stream.purge(before);
    return { success: true, purged: 0 };
  }

  lastMessage(name: string) {
    const [newest = 0] = [...this.#stream(name).messages.keys()].slice(-1);
    return this.message(name, newest);
  }

  message(name: string, sequence: number) {
    const found = this.#stream(name).messages.get(sequence);
    if (!found) throw new ApiFault(jetStreamError.noMessageFound, 'no message found', 404);
    const { subject, data, timeMs } = found;
    return { subject, seq: sequence, data, time: new Date(timeMs) };
  }

  addConsumer(streamName: string, config: ConsumerConfig) {
    const stream = this.#stream(streamName);
    const { process } = this;
    const name = config.durable_name ?? `c${++this.#consumer}`;
    const consumers = this.consumers.get(streamName) ?? new Map<string, SimulatedConsumer>();
    this.consumers.set(streamName, consumers);
    if (!consumers.has(name)) {
      const consumer = new SimulatedConsumer(name, config, stream, {
        after: (delayMs, run) => this.#scheduler.after(delayMs, this.process, run),
        deliver: (message) => {
          if (message.subject.startsWith('repl.')) this.leaf?.(message);
          else this.#deliverLocally(message);
        },
        hasInterest: (subject) => this.isUp && this.#fault !== 'off' && this.#hasInterest(subject),
      });
      consumers.set(name, consumer);
      if (process.alive) consumer.start();
    }
    return { name, stream_name: streamName, config };
  }

  deleteConsumer(stream: string, name: string): boolean {
    const consumer = this.consumers.get(stream)?.get(name);
    if (!this.streams.has(stream)) throw noStream();
    if (!consumer) throw noConsumer();
    consumer.stop();
    this.consumers.get(stream)?.delete(name);
    return true;
  }

  consumerInfo(stream: string, name: string) {
    const consumer = this.consumers.get(stream)?.get(name);
    if (!consumer) throw noConsumer();
    return { name, stream_name: stream, config: consumer.config };
  }
}
