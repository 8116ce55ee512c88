import { EtcdError } from '../../../services/shim/etcd/errors.ts';
import { rangeRequest, watchRequest } from '../../../services/shim/etcd/messages.ts';
import { rangeResponse, type WatchResponse, watchResponse } from '../../etcd-client.ts';
import type { SimulatedProcess } from '../clock/process.ts';
import type { Scheduler } from '../clock/scheduler.ts';
import type { SimulatedMachine } from '../node/machine.ts';
import type { Random } from '../random.ts';
import { ApiConnection } from './connection.ts';
import { Contents } from './contents.ts';
import type { History } from './history.ts';
import { keys } from './keys.ts';

/** Time until a client tries again after an error, and the longest that a moving client stays at a node. */
const retryMs = 300;
const stayMs = { least: 1_000, most: 15_000 };

const noOptions = { progressNotify: false, filters: [], prevKv: false, watchId: 0, fragment: false };

export interface WatcherWorld {
  scheduler: Scheduler;
  random: Random;
  history: History;
  /** Where it watches; one that moves goes from one to the other and goes on where it was. */
  machines: readonly SimulatedMachine[];
}

/**
 * Kubernetes' informer: lists, watches from there, lists again when it is told that its place is compacted, and keeps a
 * copy of everything by what it is told. What it is not told it does not know: a change that it misses shows.
 */
export class Watcher {
  readonly name: string;
  readonly #process: SimulatedProcess;
  readonly #world: WatcherWorld;
  contents = new Contents();
  /** Everything up to here is in the copy; 0: it must list. */
  revision = 0;
  #at = 0;
  #close: () => void = () => undefined;

  /** Runs in the client's process. */
  constructor(name: string, process: SimulatedProcess, world: WatcherWorld) {
    this.name = name;
    this.#process = process;
    this.#world = world;
    void this.#follow();
    if (world.machines.length > 1) void this.#move();
  }

  get machine(): SimulatedMachine {
    return this.#world.machines[this.#at] as SimulatedMachine;
  }

  async #move(): Promise<void> {
    const { random, machines } = this.#world;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, random.between(stayMs.least, stayMs.most)));
      this.#at = (this.#at + 1) % machines.length;
      this.#close();
    }
  }

  /** It knows what nobody knows any more. */
  startAnew(): void {
    this.revision = 0;
    this.#close();
  }

  async #follow(): Promise<void> {
    for (;;) {
      const connection = new ApiConnection(this.#process, this.#world.scheduler, this.machine);
      if (this.revision === 0) await this.#list(connection);
      if (this.revision > 0) await this.#watch(connection);
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }

  async #list(connection: ApiConnection): Promise<void> {
    const askedMs = this.#world.history.nowMs;
    try {
      const bytes = await connection.call('KV', 'Range', rangeRequest.encode(keys.all));
      const { header, kvs } = rangeResponse.decode(bytes);
      this.contents = new Contents(kvs);
      this.revision = header?.revision ?? 0;
      this.#world.history.listed(connection.machine.name, this.revision, kvs, askedMs);
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
    }
  }

  /** Resolves when the watch has ended. */
  async #watch(connection: ApiConnection): Promise<void> {
    const { rangeEnd, key } = keys.all;
    const createRequest = { ...noOptions, key, rangeEnd, startRevision: this.revision + 1 };
    await new Promise<void>((resolve) => {
      const close = connection.stream('Watch', 'Watch', watchRequest.encode({ createRequest }), {
        message: (bytes) => {
          const response = watchResponse.decode(bytes);
          this.#take(connection.machine, response);
          if (response.canceled) this.#close();
        },
        end: () => resolve(),
      });
      this.#close = () => {
        close();
        resolve();
      };
    });
  }

  #take(machine: SimulatedMachine, { header, events, canceled, created }: WatchResponse): void {
    const { history } = this.#world;
    if (canceled) {
      this.revision = 0;
      return;
    }
    if (created || events.length === 0) return;
    const revision = header?.revision ?? 0;
    for (const { kv, type } of events) {
      if (!kv) continue;
      if (kv.modRevision <= this.revision)
        history.broken(
          'I4',
          `${this.name} was told of revision ${kv.modRevision} again, behind ${this.revision}`,
        );
      if (type === 1) this.contents.delete(kv.key);
      else this.contents.put(kv);
      history.saw(machine.name, kv);
    }
    this.revision = revision;
    history.copied(this.name, machine.name, revision, this.contents);
  }
}
