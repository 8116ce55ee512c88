import { subjects } from '../../../shared/subjects.ts';
import { pingAnswerSchema } from '../replication/protocol.ts';
import type { NodeContext } from './node.ts';

const intervalMs = 500;
const timeoutMs = 400;

/** Asks the peer's shim, over and over, whether it is there. */
export class PeerPing {
  readonly #context: NodeContext;
  readonly #onChange: () => void;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #answers = false;

  constructor(context: NodeContext, onChange: () => void) {
    this.#context = context;
    this.#onChange = onChange;
  }

  get answers(): boolean {
    return this.#answers;
  }

  start(): void {
    void this.#loop();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #loop(): Promise<void> {
    const answers = await this.#ask();
    if (this.#stopped) return;
    if (answers !== this.#answers) {
      this.#answers = answers;
      this.#onChange();
    }
    this.#timer = setTimeout(() => void this.#loop(), intervalMs);
  }

  #ask(): Promise<boolean> {
    const { connection, pair } = this.#context;
    return connection.request(subjects.rpc(pair.peer.name, 'ping'), '{}', { timeout: timeoutMs }).then(
      (message) => pingAnswerSchema.safeParse(message.json()).success,
      () => false,
    );
  }
}
