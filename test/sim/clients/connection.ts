import { EtcdError, etcdErrors } from '../../../services/shim/etcd/errors.ts';
import type { SimulatedProcess } from '../clock/process.ts';
import type { Scheduler } from '../clock/scheduler.ts';
import type { SimulatedMachine } from '../node/machine.ts';

/** One way between a client and the etcd API of the node that it is on. */
const hopMs = 0.1;

/** A client's connection to the etcd API of one node: bytes, as over gRPC, without gRPC. */
export class ApiConnection {
  readonly #process: SimulatedProcess;
  readonly #scheduler: Scheduler;
  readonly machine: SimulatedMachine;

  constructor(process: SimulatedProcess, scheduler: Scheduler, machine: SimulatedMachine) {
    this.#process = process;
    this.#scheduler = scheduler;
    this.machine = machine;
  }

  /** @throws EtcdError; UNAVAILABLE also when the shim dies before it answers */
  call(service: string, method: string, request: Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      let isOpen = true;
      const answer = (settle: () => void) => {
        if (!isOpen) return;
        isOpen = false;
        this.#scheduler.after(hopMs, this.#process, settle);
      };
      const { shim } = this.machine;
      const refuse = () => answer(() => reject(etcdErrors.stopped()));
      if (!shim?.process.alive) {
        refuse();
        return;
      }
      shim.process.onDeath(refuse);
      this.#scheduler.after(hopMs, shim.process, () => {
        shim.call(service, method, Buffer.from(request)).then(
          (response) => answer(() => resolve(response)),
          (error: Error) => answer(() => reject(error)),
        );
      });
    });
  }

  /** Opens a stream. @returns closes it */
  stream(
    service: string,
    method: string,
    request: Uint8Array,
    on: { message: (response: Buffer) => void; end: (error: EtcdError | null) => void },
  ): () => void {
    const { shim } = this.machine;
    let isOver = false;
    let isClosed = false;
    let close: () => void = () => {};
    const ended = (error: EtcdError | null) => {
      if (isOver) return;
      isOver = true;
      this.#scheduler.after(hopMs, this.#process, () => {
        if (!isClosed) on.end(error);
      });
    };
    if (!shim?.process.alive) {
      ended(etcdErrors.stopped());
      return () => undefined;
    }
    shim.process.onDeath(() => ended(etcdErrors.stopped()));
    this.#scheduler.after(hopMs, shim.process, () => {
      try {
        shim.stream(service, method, {
          metadata: () => undefined,
          onMessage: (handler) => handler(Buffer.from(request)),
          onHalfClose: () => undefined,
          onDrain: () => undefined,
          onClose: (handler) => {
            close = handler;
          },
          unsentBytes: 0,
          write: (response) => {
            const bytes = Buffer.from(response);
            this.#scheduler.after(hopMs, this.#process, () => {
              if (!isClosed) on.message(bytes);
            });
          },
          end: (error) => ended(error instanceof EtcdError ? error : null),
        });
      } catch (error) {
        ended(error as EtcdError);
      }
    });
    return () => {
      isClosed = true;
      isOver = true;
      if (shim.process.alive) this.#scheduler.after(hopMs, shim.process, () => close());
    };
  }
}
