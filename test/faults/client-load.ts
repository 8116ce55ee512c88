import { setTimeout as delay } from 'node:timers/promises';
import { status } from '../../services/shim/etcd/grpc/status.ts';
import type { StateMessage } from '../../shared/messages.ts';
import { withClient } from './client-etcd.ts';
import type { LoadAnswer, LoadKeys } from './client-protocol.ts';
import { Restriction } from './restriction.ts';

/** Between two writes of a load: a client, not a benchmark. */
const pauseMs = 5;
/** Between two writes of the other kinds. */
const otherPauseMs = 250;

type Outcome = 'acknowledged' | 'refused' | 'unknown';

/**
 * Writes through the node until it is stopped, and remembers what was acknowledged: new keys of its own, one after the other. Beside them
 * it appends to keys to which the other side's load appends too, and tries a key that only a node which is not restricted may write.
 */
export class Load {
  readonly #writer: string;
  readonly #keys: LoadKeys;
  readonly #answer: LoadAnswer = {
    acknowledged: [],
    refused: 0,
    unknown: 0,
    longestGapMs: 0,
    wentBack: [],
    appended: [],
    unlistedRefused: 0,
    unlistedTaken: [],
  };
  readonly #restriction = new Restriction();
  /** How many state messages had come at the begin and at the end of each write off the list that was acknowledged. */
  readonly #unlisted: [before: number, after: number][] = [];
  readonly #done: Promise<unknown>;
  #revision = 0;
  #stopped = false;

  /** @param writer a name that no other load has */
  constructor(writer: string, keys: LoadKeys) {
    this.#writer = writer;
    this.#keys = keys;
    this.#done = Promise.all([this.#writeOwn(), this.#append(), this.#tryUnlisted()]);
  }

  /** Takes the node's next state message. */
  saw(message: StateMessage): void {
    this.#restriction.take(message);
  }

  async stop(): Promise<LoadAnswer> {
    this.#stopped = true;
    await this.#done;
    for (const [before, after] of this.#unlisted) {
      const restriction = this.#restriction.duringAllOf(before, after);
      if (restriction !== null) this.#answer.unlistedTaken.push(restriction);
    }
    return this.#answer;
  }

  async #writeOwn(): Promise<void> {
    let lastMs = performance.now();
    for (let i = 0; !this.#stopped; i++) {
      const key = `${this.#keys.own}${i}`;
      const value = `${i} `.repeat(50);
      const outcome = await this.#put(key, value, (revision) => this.#took(key, value, revision));
      if (outcome === 'acknowledged') {
        this.#answer.longestGapMs = Math.max(this.#answer.longestGapMs, performance.now() - lastMs);
        lastMs = performance.now();
      } else {
        this.#answer[outcome]++;
      }
      await delay(pauseMs);
    }
  }

  #took(key: string, value: string, revision: number): void {
    this.#answer.acknowledged.push([key, value]);
    if (revision <= this.#revision) this.#answer.wentBack.push(`${revision} after ${this.#revision}`);
    this.#revision = revision;
  }

  /** A value holds all that was appended to it: what is lost shows at the end, whoever wrote later. */
  async #append(): Promise<void> {
    const { shared } = this.#keys;
    for (let i = 0; !this.#stopped; i++) {
      const key = shared[i % shared.length] ?? '';
      const entry = `${this.#writer}.${i}`;
      const append = withClient(async (client) => {
        const [kv] = (await client.range({ key })).kvs;
        return client.update(key, kv?.modRevision ?? 0, `${kv?.value ?? ''}${entry} `);
      });
      const succeeded = await append.then(
        (answer) => answer.succeeded,
        () => false,
      );
      if (succeeded) this.#answer.appended.push([key, entry]);
      await delay(otherPauseMs);
    }
  }

  async #tryUnlisted(): Promise<void> {
    for (let i = 0; !this.#stopped; i++) {
      const before = this.#restriction.count;
      const outcome = await this.#put(this.#keys.unlisted, `${i}`);
      if (outcome === 'refused') this.#answer.unlistedRefused++;
      if (outcome === 'acknowledged') this.#unlisted.push([before, this.#restriction.count]);
      await delay(otherPauseMs);
    }
  }

  async #put(key: string, value: string, took?: (revision: number) => void): Promise<Outcome> {
    try {
      const { header } = await withClient((client) => client.put({ key, value }));
      took?.(header?.revision ?? 0);
      return 'acknowledged';
    } catch (error) {
      return (error as { code?: number }).code === status.PERMISSION_DENIED ? 'refused' : 'unknown';
    }
  }
}
