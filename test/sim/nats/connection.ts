import {
  ErrorCode,
  Events,
  type JetStreamManager,
  type MsgHdrs,
  type NatsConnection,
  NatsError,
  type Status,
} from 'nats';
import type { SimulatedProcess } from '../clock/process.ts';
import type { Scheduler } from '../clock/scheduler.ts';
import { type Envelope, envelope, messageOf, type Payload } from './message.ts';
import type { SimulatedServer } from './server.ts';
import { ApiFault } from './stream.ts';

/** What a call to the JetStream API needs of the disk. */
export type CallKind = 'read' | 'write' | 'remove';

type Callback = (error: NatsError | null, message: ReturnType<typeof messageOf>) => void;

export interface SimulatedSubscription {
  readonly subject: string;
  readonly callback: Callback;
}

/** npm `nats` waits so long before it dials again (shared/bus.ts). */
const reconnectMs = 100;
const requestTimeoutMs = 2_000;
/** Longest hop between a client and the nats-server of its machine, in milliseconds. */
const hopMs = 0.2;

let connections = 0;

/** What the product uses of npm `nats`: a connection to the nats-server of the same machine, which comes back by itself. */
export class SimulatedConnection {
  readonly id = ++connections;
  readonly process: SimulatedProcess;
  readonly #scheduler: Scheduler;
  readonly #server: SimulatedServer;
  readonly subscriptions = new Set<SimulatedSubscription>();
  readonly #requests = new Map<string, { resolve: (answer: Envelope) => void }>();
  readonly #statusWaiting = new Set<(status: Status) => void>();
  #sentMs = 0;
  #deliveredMs = 0;
  #request = 0;
  #connected = false;
  #closed = false;
  #firstConnected: () => void = () => undefined;
  /** Resolves when it is there for the first time: a service does nothing before. */
  readonly established = new Promise<void>((resolve) => {
    this.#firstConnected = resolve;
  });

  constructor(process: SimulatedProcess, scheduler: Scheduler, server: SimulatedServer) {
    this.process = process;
    this.#scheduler = scheduler;
    this.#server = server;
    process.onDeath(() => this.#leave());
    this.#dial();
  }

  /** The connection as the product sees it. */
  get nats(): NatsConnection {
    return this as unknown as NatsConnection;
  }

  #dial(): void {
    if (this.#closed) return;
    this.#connected = this.#server.accept(this);
    if (this.#connected) this.#firstConnected();
    else this.#scheduler.after(reconnectMs, this.process, () => this.#dial());
  }

  /** The server is gone: what is on its way is lost. */
  disconnected(): void {
    this.#connected = false;
    const announce = (type: Events) => {
      for (const tell of [...this.#statusWaiting]) tell({ type, data: '' });
    };
    this.#scheduler.after(hopMs, this.process, () => announce(Events.Disconnect));
    const again = () => {
      if (this.#closed) return;
      this.#connected = this.#server.accept(this);
      if (this.#connected) announce(Events.Reconnect);
      else this.#scheduler.after(reconnectMs, this.process, again);
    };
    this.#scheduler.after(reconnectMs, this.process, again);
  }

  #leave(): void {
    this.#closed = true;
    this.#connected = false;
    this.#server.forget(this);
  }

  // What the product calls.

  publish(subject: string, data?: Payload, options: { reply?: string; headers?: MsgHdrs } = {}): void {
    if (this.#closed) throw NatsError.errorForCode(ErrorCode.ConnectionClosed);
    this.#send(envelope(subject, data, options.reply, options.headers));
  }

  subscribe(subject: string, { callback }: { callback: Callback }) {
    const subscription = { subject, callback };
    this.subscriptions.add(subscription);
    this.#server.subscriptionsChanged();
    return {
      unsubscribe: () => {
        this.subscriptions.delete(subscription);
        this.#server.subscriptionsChanged();
      },
    };
  }

  async request(
    subject: string,
    data?: Payload,
    { timeout = requestTimeoutMs, headers }: { timeout?: number; headers?: MsgHdrs } = {},
  ) {
    if (this.#closed) throw NatsError.errorForCode(ErrorCode.ConnectionClosed);
    const reply = `${this.inbox}${++this.#request}`;
    const answer = await new Promise<Envelope>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#requests.delete(reply);
        reject(NatsError.errorForCode(ErrorCode.Timeout));
      }, timeout);
      this.#requests.set(reply, {
        resolve: (message) => {
          clearTimeout(timer);
          this.#requests.delete(reply);
          resolve(message);
        },
      });
      this.#send(envelope(subject, data, reply, headers));
    });
    if (answer.data.length === 0 && answer.headers?.code === 503) {
      throw NatsError.errorForCode(ErrorCode.NoResponders);
    }
    return messageOf(answer, (message) => this.#send(message));
  }

  async *status(): AsyncGenerator<Status> {
    while (!this.#closed) {
      yield await new Promise<Status>((resolve) => {
        const tell = (status: Status) => {
          this.#statusWaiting.delete(tell);
          resolve(status);
        };
        this.#statusWaiting.add(tell);
      });
    }
  }

  isClosed(): boolean {
    return this.#closed;
  }

  async close(): Promise<void> {
    this.#leave();
  }

  readonly services = {
    add: async () => ({
      addEndpoint: (_name: string, { subject, handler }: { subject: string; handler: Callback }): void =>
        void this.subscribe(subject, { callback: handler }),
    }),
  };

  async jetstreamManager({ timeout = 5_000 }: { timeout?: number } = {}): Promise<JetStreamManager> {
    const call = <T>(run: () => T, kind: CallKind = 'read') => this.#call(run, kind, timeout);
    const server = this.#server;
    const manager = {
      streams: {
        info: (name: string, options?: { deleted_details?: boolean }) =>
          call(() => server.streamInfo(name, options?.deleted_details ?? false)),
        add: (config: Parameters<SimulatedServer['addStream']>[0]) =>
          call(() => server.addStream(config), 'write'),
        update: (name: string, config: Parameters<SimulatedServer['updateStream']>[1]) =>
          call(() => server.updateStream(name, config), 'write'),
        delete: (name: string) => call(() => server.deleteStream(name), 'remove'),
        purge: (name: string, options?: { seq?: number }) =>
          call(() => server.purgeStream(name, options?.seq), 'write'),
        getMessage: (name: string, { seq }: { seq?: number }) =>
          call(() => (seq === undefined ? server.lastMessage(name) : server.message(name, seq))),
        names: async function* () {
          yield* await call(() => [...server.streams.keys()]);
        },
      },
      consumers: {
        add: (stream: string, config: Parameters<SimulatedServer['addConsumer']>[1]) =>
          call(() => server.addConsumer(stream, config)),
        delete: (stream: string, name: string) => call(() => server.deleteConsumer(stream, name)),
        info: (stream: string, name: string) => call(() => server.consumerInfo(stream, name)),
      },
    };
    return manager as unknown as JetStreamManager;
  }

  // What the server calls.

  get inbox(): string {
    return `twonode.inbox.r${this.id}.`;
  }

  /** A message for one of its subscriptions, or the answer to a request. */
  deliver(message: Envelope, to: SimulatedSubscription | null): void {
    this.#deliveredMs = this.#later(this.#deliveredMs);
    this.#scheduler.after(this.#deliveredMs - this.#scheduler.nowMs, this.process, () => {
      if (!this.#connected) return;
      if (to === null) this.#requests.get(message.subject)?.resolve(message);
      else if (this.subscriptions.has(to))
        to.callback(
          null,
          messageOf(message, (answer) => this.#send(answer)),
        );
    });
  }

  /** What is sent while the server is away is lost: the library drops it when it connects again. */
  #send(message: Envelope): void {
    if (!this.#connected) return;
    this.#hop(() => this.#server.receive(message, null));
  }

  /** Runs something in the server, after all that was sent before. */
  #hop(run: () => void): void {
    this.#sentMs = this.#later(this.#sentMs);
    this.#scheduler.after(this.#sentMs - this.#scheduler.nowMs, this.#server.process, run);
  }

  /** The next time on a connection that keeps order. */
  #later(lastMs: number): number {
    return Math.max(lastMs, this.#scheduler.nowMs + this.#server.random.between(hopMs / 4, hopMs));
  }

  /** A request to the JetStream API. */
  #call<T>(run: () => T, kind: CallKind, timeout: number): Promise<T> {
    if (this.#closed) return Promise.reject(NatsError.errorForCode(ErrorCode.ConnectionClosed));
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => reject(NatsError.errorForCode(ErrorCode.Timeout)), timeout);
      const answer = (settle: () => void) => {
        this.#deliveredMs = this.#later(this.#deliveredMs);
        this.#scheduler.after(this.#deliveredMs - this.#scheduler.nowMs, this.process, () => {
          if (!this.#connected) return;
          clearTimeout(timer);
          settle();
        });
      };
      const work = () => {
        try {
          this.#server.admit(kind);
          const result = run();
          answer(() => resolve(result));
        } catch (error) {
          answer(() => reject(error instanceof ApiFault ? apiError(error) : error));
        }
      };
      if (!this.#connected) return;
      this.#hop(() => (kind === 'read' || !this.#server.takesWrites ? work() : this.#server.onDisk(work)));
    });
  }
}

function apiError(fault: ApiFault): NatsError {
  const error = new NatsError(fault.message, ErrorCode.JetStreamInvalidAck);
  error.api_error = { code: fault.code, err_code: fault.errCode, description: fault.message };
  return error;
}
