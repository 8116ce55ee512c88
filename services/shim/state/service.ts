import type { Msg, NatsConnection, Subscription } from 'nats';
import type { Registry } from 'prom-client';
import type { z } from 'zod';
import { readBootId } from '../../../shared/boot-id.ts';
import type { TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/logger.ts';
import {
  decodeMessage,
  encodeMessage,
  proberStatusSchema,
  signalSchema,
  stateSchema,
} from '../../../shared/messages.ts';
import type { NodePaths } from '../../../shared/paths.ts';
import { serveStatus } from '../../../shared/status-endpoint.ts';
import { subjects } from '../../../shared/subjects.ts';
import { MonotonicClock } from './clock.ts';
import { machineConfig } from './config.ts';
import { HistoryFile } from './history-file.ts';
import type { Datastore } from './known.ts';
import { type Effect, type Input, type Machine, startMachine, step } from './machine.ts';
import { MalformedMessages } from './malformed.ts';
import { loadMemory, MemoryFile } from './memory-file.ts';
import { registerStateMetrics, type StateMetrics } from './metrics.ts';
import { type CurrentState, currentState, stateMessage } from './state-message.ts';

export type { CurrentState } from './state-message.ts';

const tickMs = 100;
const publishMs = 1_000;
const askProberTimeoutMs = 500;

/** What the datastore tells the state machine, and what of it is published. */
export interface DatastoreFacts extends Datastore {
  /** Number of the log's current epoch. */
  readonly epoch: number;
  /** The newest revision that readers on this node may see. */
  readonly revision: number;
  /** Conflicts that are open, but routine ones. */
  readonly conflicts: number;
}

export interface StateServiceOptions {
  config: TwoNodeConfiguration;
  node: string;
  connection: NatsConnection;
  logger: Logger;
  registry: Registry;
  paths: Pick<NodePaths, 'stateFile' | 'historyFile'>;
  /** Null until the datastore is open. */
  datastoreFacts: () => DatastoreFacts | null;
  bootId?: string;
}

/** Feeds the state machine with what is heard, keeps its memory on disk, and tells everyone the state. */
export class StateService {
  readonly #options: StateServiceOptions;
  readonly #clock = new MonotonicClock();
  readonly #metrics: StateMetrics;
  readonly #malformed: MalformedMessages;
  readonly #memoryFile: MemoryFile;
  readonly #history: HistoryFile;
  readonly #listeners = new Set<(state: CurrentState) => void>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #subscriptions: Subscription[] = [];
  #machine: Machine;
  #seq = 0;
  #proberAnswered = false;

  constructor(options: StateServiceOptions) {
    this.#options = options;
    const { config, node, paths, logger, registry, bootId = readBootId() } = options;
    this.#memoryFile = new MemoryFile(paths.stateFile, logger);
    this.#history = new HistoryFile(paths.historyFile);
    const saved = loadMemory(paths.stateFile, logger);
    const started = startMachine(machineConfig(config, node), saved, bootId, this.#clock.nowMs());
    this.#machine = started.machine;
    this.#metrics = registerStateMetrics(registry, () => this.current());
    this.#malformed = new MalformedMessages(logger, this.#metrics);
    this.#perform(started.effects);
  }

  /** Subscribes, asks the prober for what it has to tell already, and starts to tick. */
  async start(): Promise<void> {
    const { connection, node } = this.#options;
    this.#subscribe(subjects.healthOf(node), signalSchema, node, (signal) => {
      this.#step({ kind: 'signals', signals: [signal], nowMs: this.#clock.nowMs() });
    });
    const { peer } = this.#machine.config;
    this.#subscribe(subjects.state(peer), stateSchema, peer, (message) => {
      this.#step({ kind: 'peer-state', message, nowMs: this.#clock.nowMs() });
    });
    await serveStatus(connection, 'shim', node, () => this.#message());
    await this.#askProber();
    this.#timers.push(setInterval(() => this.poke(), tickMs));
    this.#timers.push(setInterval(() => this.#eachSecond(), publishMs));
    this.poke();
    this.#publish();
  }

  /** The state in force. */
  current(): CurrentState {
    return currentState(this.#machine, (ms) => this.#clock.wallMs(ms));
  }

  /** Calls back when the state or its reason has changed. */
  onChange(listener: (state: CurrentState) => void): void {
    this.#listeners.add(listener);
  }

  /** Looks at the datastore and the clock now. */
  poke(): void {
    const nowMs = this.#clock.nowMs();
    const datastore = this.#options.datastoreFacts();
    this.#step(datastore ? { kind: 'datastore', datastore, nowMs } : { kind: 'tick', nowMs });
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
  }

  /** Messages of another node on this subject, or ones that cannot be read, are counted and ignored. */
  #subscribe<S extends z.ZodType<{ node: string }>>(
    subject: string,
    schema: S,
    from: string,
    take: (message: z.infer<S>) => void,
  ): void {
    const callback = (error: Error | null, message: Msg) => {
      if (error) return;
      const decoded = decodeMessage(schema, message.data);
      if (!decoded.ok) this.#malformed.note(message.subject, decoded.error);
      else if (decoded.value.node !== from) this.#malformed.note(message.subject, `node: expected ${from}`);
      else take(decoded.value);
    };
    this.#subscriptions.push(this.#options.connection.subscribe(subject, { callback }));
  }

  #eachSecond(): void {
    this.#publish();
    this.#memoryFile.retry();
    if (!this.#proberAnswered) void this.#askProber();
  }

  /** A shim that starts late need not wait for the next signal of each check. */
  async #askProber(): Promise<void> {
    const { connection, node } = this.#options;
    const answer = await connection
      .request(subjects.status(node, 'prober'), '', { timeout: askProberTimeoutMs })
      .catch(() => null);
    if (!answer || this.#proberAnswered) return;
    this.#proberAnswered = true;
    const told = decodeMessage(proberStatusSchema, answer.data);
    if (told.ok) this.#step({ kind: 'signals', signals: told.value.signals, nowMs: this.#clock.nowMs() });
    else this.#malformed.note(answer.subject, told.error);
  }

  #step(input: Input): void {
    const { machine, effects } = step(this.#machine, input);
    this.#machine = machine;
    this.#perform(effects);
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'persist') this.#memoryFile.save(effect.memory);
      else if (effect.kind === 'enter') this.#enter(effect);
      else
        this.#options.logger.info({ warnings: effect.warnings.map(({ text }) => text) }, 'warnings changed');
    }
  }

  #enter({ from, to, reason }: Extract<Effect, { kind: 'enter' }>): void {
    const { logger } = this.#options;
    const current = this.current();
    const { text } = current;
    this.#metrics.transition(from, to);
    logger.warn({ from, to, reason, text }, 'the state changed');
    this.#publish();
    try {
      this.#history.append({ at: new Date().toISOString(), from, to, reason, text });
    } catch (error) {
      logger.error({ err: error }, 'the history cannot be written');
    }
    for (const listener of this.#listeners) listener(current);
  }

  #publish(): void {
    const { connection, node } = this.#options;
    if (connection.isClosed()) return;
    this.#seq++;
    connection.publish(subjects.state(node), encodeMessage(this.#message()));
  }

  #message() {
    return stateMessage(this.#machine, this.current(), this.#options.datastoreFacts(), this.#seq);
  }
}

/** Starts the state service of a node. */
export async function startStateService(options: StateServiceOptions): Promise<StateService> {
  const service = new StateService(options);
  await service.start();
  return service;
}
