import type { NatsConnection } from 'nats';
import type { Registry } from 'prom-client';
import { readBootId } from '../../../shared/boot-id.ts';
import type { TwoNodeConfiguration } from '../../../shared/config/schema.ts';
import type { Logger } from '../../../shared/logger.ts';
import {
  decodeMessage,
  encodeMessage,
  type PeerView,
  proberStatusSchema,
  type StateMessage,
  signalSchema,
  stateSchema,
} from '../../../shared/messages.ts';
import type { NodeState } from '../../../shared/node.ts';
import type { NodePaths } from '../../../shared/paths.ts';
import { type Reason, reasonText } from '../../../shared/reasons.ts';
import { serveStatus } from '../../../shared/status-endpoint.ts';
import { subjects } from '../../../shared/subjects.ts';
import { machineConfig } from './config.ts';
import type { Datastore } from './known.ts';
import { type Effect, type Input, type Machine, startMachine, step } from './machine.ts';
import { MalformedMessages } from './malformed.ts';
import { loadMemory, saveMemory } from './memory-file.ts';
import { registerStateMetrics, type StateMetrics } from './metrics.ts';

const tickMs = 100;
const publishMs = 1_000;
const stateTtlMs = 3_000;

/** What the datastore tells the state machine, and what of it is published. */
export interface DatastoreFacts extends Datastore {
  readonly epoch: number;
  readonly revision: number;
}

/** The state in force. */
export interface CurrentState {
  state: NodeState;
  reason: Reason | null;
  /** The reason for people; empty when there is none. */
  text: string;
  /** When the state was entered, and when its reason began, in ms since the Unix epoch. */
  sinceMs: number;
  reasonSinceMs: number;
  warnings: string[];
  peer: PeerView;
}

export interface StateServiceOptions {
  config: TwoNodeConfiguration;
  node: string;
  connection: NatsConnection;
  logger: Logger;
  registry: Registry;
  paths: NodePaths;
  /** Null until the datastore is open. */
  datastoreFacts: () => DatastoreFacts | null;
}

/** Feeds the state machine with what is heard, keeps its memory on disk, and tells everyone the state. */
export class StateService {
  readonly #options: StateServiceOptions;
  readonly #metrics: StateMetrics;
  readonly #malformed: MalformedMessages;
  readonly #listeners = new Set<(state: CurrentState) => void>();
  readonly #timers: NodeJS.Timeout[] = [];
  #machine: Machine;
  #seq = 0;

  constructor(options: StateServiceOptions) {
    this.#options = options;
    const { config, node, paths, logger, registry } = options;
    const started = startMachine(
      machineConfig(config, node),
      loadMemory(paths.stateFile, logger),
      readBootId(),
      Date.now(),
    );
    this.#machine = started.machine;
    this.#metrics = registerStateMetrics(registry, () => this.current());
    this.#malformed = new MalformedMessages(logger, this.#metrics);
    this.#perform(started.effects);
  }

  /** Subscribes, asks the prober for what it has to tell already, and starts to tick. */
  async start(): Promise<void> {
    const { connection, node } = this.#options;
    const { peer } = this.#machine.config;
    connection.subscribe(subjects.healthOf(node), {
      callback: (error, message) => {
        if (error) return;
        const signal = decodeMessage(signalSchema, message.data);
        if (signal.ok) this.#step({ kind: 'signals', signals: [signal.value], nowMs: Date.now() });
        else this.#malformed.note(message.subject, signal.error);
      },
    });
    connection.subscribe(subjects.state(peer), {
      callback: (error, message) => {
        if (error) return;
        const state = decodeMessage(stateSchema, message.data);
        if (state.ok) this.#step({ kind: 'peer-state', message: state.value, nowMs: Date.now() });
        else this.#malformed.note(message.subject, state.error);
      },
    });
    await serveStatus(connection, 'shim', node, () => this.#message());
    await this.#askProber();
    this.#timers.push(setInterval(() => this.poke(), tickMs));
    this.#timers.push(setInterval(() => this.#publish(), publishMs));
    this.poke();
    this.#publish();
  }

  current(): CurrentState {
    const { verdict } = this.#machine.memory;
    const { peer } = this.#machine.config;
    const { state, reason, failure, sinceMs, reasonSinceMs } = verdict;
    return {
      state,
      reason,
      text: reason === null ? '' : reasonText(reason, { peer, sinceMs: reasonSinceMs, failure }),
      sinceMs,
      reasonSinceMs,
      warnings: this.#machine.warnings.map(({ text }) => text),
      peer: this.#peerView(),
    };
  }

  onChange(listener: (state: CurrentState) => void): void {
    this.#listeners.add(listener);
  }

  /** Looks at the datastore and the clock now. */
  poke(): void {
    const nowMs = Date.now();
    const datastore = this.#options.datastoreFacts();
    this.#step(datastore ? { kind: 'datastore', datastore, nowMs } : { kind: 'tick', nowMs });
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** A shim that starts late need not wait for the next signal of each check. */
  async #askProber(): Promise<void> {
    const { connection, node } = this.#options;
    const answer = await connection
      .request(subjects.status(node, 'prober'), '', { timeout: 500 })
      .catch(() => null);
    if (!answer) return;
    const told = decodeMessage(proberStatusSchema, answer.data);
    if (told.ok) this.#step({ kind: 'signals', signals: told.value.signals, nowMs: Date.now() });
    else this.#malformed.note(answer.subject, told.error);
  }

  #step(input: Input): void {
    const stepped = step(this.#machine, input);
    this.#machine = stepped.machine;
    this.#perform(stepped.effects);
  }

  #perform(effects: readonly Effect[]): void {
    const { logger, paths } = this.#options;
    for (const effect of effects) {
      if (effect.kind === 'persist') {
        saveMemory(paths.stateFile, effect.memory);
      } else if (effect.kind === 'warnings') {
        logger.warn({ warnings: effect.warnings.map(({ text }) => text) }, 'warnings changed');
      } else {
        const { from, to, reason } = effect;
        this.#metrics.transition(from, to);
        logger.warn({ from, to, reason, text: this.current().text }, 'the state changed');
        this.#publish();
        for (const listener of this.#listeners) listener(this.current());
      }
    }
  }

  #publish(): void {
    const { connection, node } = this.#options;
    if (!connection.isClosed()) connection.publish(subjects.state(node), encodeMessage(this.#message()));
  }

  #message(): StateMessage {
    const { config } = this.#machine;
    const facts = this.#options.datastoreFacts();
    const { sinceMs, reasonSinceMs, ...current } = this.current();
    return {
      v: 1,
      node: config.node,
      role: config.role,
      ...current,
      since: new Date(sinceMs).toISOString(),
      ...(current.reason === null ? {} : { reason_since: new Date(reasonSinceMs).toISOString() }),
      epoch: facts?.epoch ?? 0,
      revision: facts?.revision ?? 0,
      seq: ++this.#seq,
      ttl_ms: stateTtlMs,
    };
  }

  /** What the peer last said; one that is not heard shows as Impaired. */
  #peerView(): PeerView {
    const { memory, known, config, nowMs } = this.#machine;
    const { heard } = memory.peer;
    const said = known.peerSaid;
    return {
      node: config.peer,
      state: heard ? (said?.state ?? null) : 'Impaired',
      reason: heard ? (said?.reason ?? null) : null,
      heard,
      age_ms: said ? Math.max(0, nowMs - (said.untilMs - stateTtlMs)) : null,
    };
  }
}

/** Starts the state service of a node. */
export async function startStateService(options: StateServiceOptions): Promise<StateService> {
  const service = new StateService(options);
  await service.start();
  return service;
}
