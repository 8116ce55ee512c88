import type { Logger } from '../../../shared/logger.ts';
import type { StateMessage } from '../../../shared/messages.ts';
import { authorize } from '../../../shared/mutation/authorize.ts';
import type { MutationLists } from '../../../shared/mutation/lists.ts';
import type { KubernetesApi } from './api.ts';
import { nodeReports } from './node-report.ts';
import type { PriorityClassValues } from './priority-class-values.ts';
import { Transitions } from './transitions.ts';

/** How often all is looked at, in milliseconds: what somebody changed or deleted is as it should be after this. */
const intervalMs = 5_000;
/** The same while a call fails. */
const retryMs = 1_000;

export interface ReconcilerOptions {
  /** Opens the API; called again until it succeeds. @throws Error while there is no kubeconfig */
  connect: () => KubernetesApi;
  lists: MutationLists;
  classes: PriorityClassValues;
  /** The state of this node; null when it is not known. */
  state: () => StateMessage | null;
  /** Registers the webhook as an object; null where the static manifest does. */
  register: ((api: KubernetesApi) => Promise<void>) | null;
  logger: Pick<Logger, 'info' | 'warn'>;
}

/**
 * Keeps in step with the kube-apiserver of the own node: priority classes are read, the state is written. It works as a
 * controller does, from what is and not from what happened, so a call that failed is only made again.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #transitions = new Transitions();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #api: KubernetesApi | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #fault: string | null = null;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /** Is told each state message. */
  learn(said: StateMessage): void {
    if (this.#transitions.learn(said)) void this.run();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** One run at a time; asked for while one goes on, another follows. And again after a while, until it is stopped. */
  run(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#runAll();
    return this.#running;
  }

  async #runAll(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#again) {
      this.#again = false;
      await this.#runOnce();
    }
    this.#running = undefined;
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.run(), this.#fault === null ? intervalMs : retryMs);
  }

  async #runOnce(): Promise<void> {
    const { classes, register } = this.#options;
    const calls = async () => {
      this.#api ??= this.#options.connect();
      const api = this.#api;
      return Promise.allSettled([
        api.priorityClasses().then((found) => classes.replace(found)),
        register?.(api),
        this.#tell(api),
      ]);
    };
    const [settled] = await Promise.allSettled([calls()]);
    const failed = (settled.status === 'fulfilled' ? settled.value : [settled]).find(
      ({ status }) => status === 'rejected',
    );
    this.#logChange(failed?.status === 'rejected' ? faultOf(failed.reason) : null);
  }

  /** Once for each fault, not for each time. */
  #logChange(fault: string | null): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    const { logger } = this.#options;
    if (fault === null) logger.info('the kube-apiserver takes what the webhook tells it');
    else logger.warn({ fault }, 'the kube-apiserver does not take what the webhook tells it');
  }

  /** Writes the state, as far as the state allows it. */
  async #tell(api: KubernetesApi): Promise<void> {
    const said = this.#options.state();
    if (said === null) return;
    for (const { node, metadata, status } of nodeReports(said)) {
      if (!this.#allowed(said, 'update', 'nodes', node)) continue;
      if (await api.patchNode(node, metadata)) await api.patchNodeStatus(node, status);
    }
    if (this.#allowed(said, 'create', 'events', '')) await this.#transitions.tell(api.createEvent);
  }

  #allowed({ state }: StateMessage, verb: 'create' | 'update', resource: 'nodes' | 'events', name: string) {
    const namespace = resource === 'events' ? 'default' : '';
    return authorize(state, this.#options.lists, { verb, apiGroup: '', resource, namespace, name }).allowed;
  }
}

/** An answer of the API by its status alone: its text holds the whole answer. A bad token is not logged. */
function faultOf(error: { code?: unknown; message: string }): string {
  if (typeof error.code === 'number') return `HTTP ${error.code}`;
  return error.message.replace(
    /Bearer [\s\S]*(?= is not a legal HTTP header value)/,
    'the token of the kubeconfig',
  );
}
