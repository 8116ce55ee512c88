import type { StateMessage } from '../../shared/messages.ts';

/** What a node's state messages tell of its restriction. */
export class Restriction {
  /** Of each message; empty: the node was not restricted. */
  readonly #told: string[] = [];

  take({ state, since }: Pick<StateMessage, 'state' | 'since'>): void {
    const isRestricted = state === 'LeaderRX' || state === 'Impaired';
    this.#told.push(isRestricted ? `${state} since ${since}` : '');
  }

  /** How many messages have come. */
  get count(): number {
    return this.#told.length;
  }

  /**
   * The restriction that was in force during all of a call, as far as is known: the message before it and two after it tell of the same
   * one. The first message after it may have been under way when the call ended.
   * @param before how many messages had come when the call began
   * @param after and when it ended
   * @returns null: there may have been none
   */
  duringAllOf(before: number, after: number): string | null {
    const told = this.#told.slice(Math.max(0, before - 1), after + 2);
    const [first = ''] = told;
    const isKnown = before > 0 && this.count >= after + 2;
    return isKnown && first !== '' && told.every((each) => each === first) ? first : null;
  }
}
