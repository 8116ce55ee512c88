import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ConflictView } from '../../shared/conflicts.ts';
import type { StateMessage } from '../../shared/messages.ts';
import type { NodeState } from '../../shared/node.ts';
import { spawnTethered } from '../../shared/process/spawn-tethered.ts';
import {
  type ClientAnswer,
  type ClientRequest,
  type DigestAnswer,
  type InformerAnswer,
  type LoadAnswer,
  type LoadKeys,
  passwordVariable,
  type StateSeen,
  type StoredKey,
  type TimedKey,
} from './client-protocol.ts';
import type { KubeAccess } from './kube-client.ts';
import type { Network, NodeName } from './network.ts';

const program = fileURLToPath(new URL('client-main.js', import.meta.url));
/** More than the etcd client waits. */
const answerLimitMs = 90_000;

/** A change of a node's state, as its client saw it. */
export interface StateChange {
  state: NodeState;
  /** The state until then; null: this is the first that was seen. */
  before: NodeState | null;
  reason: StateMessage['reason'];
  /** Milliseconds since the Unix epoch. */
  atMs: number;
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

/** The test's end of the client beside a node: what it saw of the node's state, and calls through the node's etcd port. */
export class NodeClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #changes: StateChange[] = [];
  #last: StateSeen | null = null;
  #nextId = 0;

  /** @param password of the services, for what only they may ask nats-server */
  constructor(network: Network, node: NodeName, password: string) {
    const args = ['netns', 'exec', network.namespace(node), process.execPath, program, node];
    this.#child = spawnTethered('ip', args, {
      deathSignal: 'KILL',
      env: { ...process.env, [passwordVariable]: password },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (message: StateSeen | ClientAnswer) => {
      if ('state' in message) this.#saw(message);
      else this.#answered(message);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The newest state message; null before the first one. */
  get last(): StateSeen | null {
    return this.#last;
  }

  /** The changes of state since a time, oldest first. */
  changesSince(ms: number): StateChange[] {
    return this.#changes.filter(({ atMs }) => atMs >= ms);
  }

  /** @returns the revision */
  async put(key: string, value: string): Promise<number> {
    return (await this.#ask({ call: 'put', key, value })) as number;
  }

  /** Resolves when the node's etcd port takes connections. */
  async untilServed(): Promise<void> {
    await this.#ask({ call: 'until-served' });
  }

  async list(prefix: string): Promise<StoredKey[]> {
    return (await this.#ask({ call: 'list', prefix })) as StoredKey[];
  }

  async digest(revision = 0): Promise<DigestAnswer> {
    return (await this.#ask({ call: 'digest', revision })) as DigestAnswer;
  }

  async conflicts(config: string, prefix: string): Promise<ConflictView[]> {
    return (await this.#ask({ call: 'conflicts', config, prefix })) as ConflictView[];
  }

  async startLoad(keys: LoadKeys): Promise<void> {
    await this.#ask({ call: 'start-load', keys });
  }

  async stopLoad(): Promise<LoadAnswer> {
    return (await this.#ask({ call: 'stop-load' })) as LoadAnswer;
  }

  async timedPuts(prefix: string, count: number, pauseMs: number): Promise<TimedKey[]> {
    return (await this.#ask({ call: 'timed-puts', prefix, count, pauseMs })) as TimedKey[];
  }

  async startWatch(prefix: string): Promise<void> {
    await this.#ask({ call: 'start-watch', prefix });
  }

  async stopWatch(): Promise<TimedKey[]> {
    return (await this.#ask({ call: 'stop-watch' })) as TimedKey[];
  }

  /** Sequence of the newest record of the log on this node. */
  async logEnd(): Promise<number> {
    return (await this.#ask({ call: 'log-end' })) as number;
  }

  /** Resolves when this node's copy of the log reaches a record, with the time: milliseconds since the Unix epoch. */
  async untilStored(sequence: number): Promise<number> {
    return (await this.#ask({ call: 'until-stored', sequence })) as number;
  }

  async startInformer(access: KubeAccess, prefix: string): Promise<void> {
    await this.#ask({ call: 'start-informer', access, prefix });
  }

  async stopInformer(): Promise<InformerAnswer> {
    return (await this.#ask({ call: 'stop-informer' })) as InformerAnswer;
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }

  #saw(seen: StateSeen): void {
    const { state, reason } = seen.state;
    const before = this.#last?.state.state ?? null;
    if (before !== state) this.#changes.push({ state, before, reason, atMs: seen.atMs });
    this.#last = seen;
  }

  #answered(answer: ClientAnswer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(answer.result);
  }

  #ask(request: ClientRequest): Promise<unknown> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => reject(new Error(`the client does not answer ${request.call}`)),
        answerLimitMs,
      );
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(limit);
          then(value);
        };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#child.send({ id, ...request });
    });
  }
}
