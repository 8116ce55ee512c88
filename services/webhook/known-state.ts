import { decodeMessage, type StateMessage, stateSchema } from '../../shared/messages.ts';

/** The last state that the shim of this node published, for as long as it counts. */
export class KnownState {
  readonly #node: string;
  #message: StateMessage | null = null;
  #freshUntilMs = 0;

  constructor(node: string) {
    this.#node = node;
  }

  /**
   * Takes a message from `twonode.state.<node>`.
   * @param nowMs monotonic clock
   * @returns what is wrong with it, or null
   */
  learn(data: Uint8Array, nowMs: number): string | null {
    const decoded = decodeMessage(stateSchema, data);
    if (!decoded.ok) return decoded.error;
    if (decoded.value.node !== this.#node) return `it is of ${decoded.value.node}`;
    this.#message = decoded.value;
    this.#freshUntilMs = nowMs + decoded.value.ttl_ms;
    return null;
  }

  /** Null when there is none, or the last is older than its `ttl_ms`. */
  fresh(nowMs: number): StateMessage | null {
    return nowMs <= this.#freshUntilMs ? this.#message : null;
  }
}
