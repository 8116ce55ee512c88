import type { CoreV1Event } from '@kubernetes/client-node';
import type { StateMessage } from '../../../shared/messages.ts';
import type { NodeState } from '../../../shared/node.ts';
import { transitionEvent } from './node-report.ts';

/** Events that wait until they may be written; when there are more, the oldest are lost. */
const waitingMax = 16;

/** The changes of state which are not yet told as Events: while Impaired, or while the API is away, none can be written. */
export class Transitions {
  readonly #waiting: CoreV1Event[] = [];
  #last: NodeState | null = null;

  /** @returns whether the state is another one than before. The first that is learned is no change. */
  learn(said: StateMessage): boolean {
    const from = this.#last;
    this.#last = said.state;
    if (from === null || from === said.state) return false;
    this.#waiting.push(transitionEvent(from, said));
    if (this.#waiting.length > waitingMax) this.#waiting.shift();
    return true;
  }

  /** Writes them in their order; what cannot be written waits on. @throws what `write` throws */
  async tell(write: (event: CoreV1Event) => Promise<void>): Promise<void> {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      await write(next);
      if (this.#waiting[0] === next) this.#waiting.shift();
    }
  }
}
