import { setTimeout as delay } from 'node:timers/promises';
import { EtcdClient, type WatchStream } from '../etcd-client.ts';
import type { History, KeyRange, WatchRecord } from './history.ts';
import { everyKey } from './model.ts';
import { monotonicMs, RecordingClient, toKeyValue } from './recording-client.ts';

const pauseMs = 20;
/** A stream that says nothing for this long is opened anew, in milliseconds. */
const silenceMaxMs = 5_000;
/** How often a caller of {@link RecordingWatch.until} asks how far the watch is, in milliseconds. */
const progressIntervalMs = 50;

/**
 * A watch that goes on where it stopped, whatever happens to its server, and writes down all that it was told. Where its
 * place was compacted away it lists every key and goes on from there, as clients do.
 */
export class RecordingWatch {
  readonly #address: string;
  readonly #endpoint: string;
  readonly #history: History;
  readonly #range: KeyRange;
  #next: number;
  #told = 0;
  #stopped = false;
  #stream: WatchStream | null = null;
  readonly #running: Promise<void>;

  /** @param from the first revision that is wanted; 0: list every key first */
  constructor(address: string, endpoint: string, history: History, from: number, range: KeyRange = everyKey) {
    this.#address = address;
    this.#endpoint = endpoint;
    this.#history = history;
    this.#range = range;
    this.#next = from;
    this.#running = this.#run();
  }

  /** Everything up to this revision was told. */
  get told(): number {
    return this.#told;
  }

  /**
   * Resolves when everything up to a revision was told.
   * @throws Error when that takes longer than `limitMs`
   */
  async until(revision: number, limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (this.#told < revision) {
      if (performance.now() > deadline)
        throw new Error(`the watch at ${this.#endpoint} is at ${this.#told} and not at ${revision}`);
      this.#stream?.send({ progressRequest: {} });
      await delay(progressIntervalMs);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stream?.cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.#next === 0 && !(await this.#list())) continue;
      const client = new EtcdClient(this.#address);
      const stream = client.watch();
      this.#stream = stream;
      await this.#follow(stream).catch(() => delay(pauseMs));
      stream.cancel();
      client.close();
    }
  }

  /** Lists every key, so that it is known what the next events come on top of. */
  async #list(): Promise<boolean> {
    const client = new RecordingClient(this.#address, this.#endpoint, this.#history);
    const answer = await client.list();
    client.close();
    if (!answer) return false;
    this.#told = Math.max(this.#told, answer.revision);
    this.#next = answer.revision + 1;
    return true;
  }

  /** Reads one stream until it breaks or ends. @throws Error */
  async #follow(stream: WatchStream): Promise<void> {
    const record: WatchRecord = {
      ...this.#range,
      endpoint: this.#endpoint,
      startRevision: this.#next,
      answers: [],
    };
    this.#history.watches.push(record);
    const { key, end: rangeEnd } = this.#range;
    stream.create({ key, rangeEnd, startRevision: this.#next, prevKv: true });
    for (;;) {
      const { header, events, created, canceled, compactRevision } = await stream.next(silenceMaxMs);
      if (canceled) {
        if (compactRevision > 0) this.#next = 0;
        return;
      }
      if (created) continue;
      const revision = header?.revision ?? 0;
      record.answers.push({
        atMs: monotonicMs(),
        revision,
        events: events.map(({ kv, prevKv }) => {
          if (!kv) throw new Error('an event without a key');
          return { keyValue: toKeyValue(kv), previous: prevKv ? toKeyValue(prevKv) : null };
        }),
      });
      this.#told = Math.max(this.#told, events[events.length - 1]?.kv?.modRevision ?? revision);
      this.#next = this.#told + 1;
    }
  }
}
