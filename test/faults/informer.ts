import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import type { InformerAnswer } from './client-protocol.ts';
import { type KubeAccess, KubeClient, type KubeObject, WatchRefused } from './kube-client.ts';

/** Objects of a CRD, which a LeaderRX may write. */
export const counters = { group: 'faults.twonode.dev', plural: 'counters' };
const path = `/apis/${counters.group}/v1/namespaces/default/${counters.plural}`;
const crd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${counters.plural}.${counters.group}` },
  spec: {
    group: counters.group,
    scope: 'Namespaced',
    names: { plural: counters.plural, kind: 'Counter' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};
const servedLimitMs = 30_000;
const retryMs = 200;
const auditPauseMs = 2_000;
/** That a watch must be given up is told within this time. */
const toldWithinMs = 5_000;
const writePauseMs = 50;
const markerLimitMs = 60_000;
/** A watch is asked for anew this often though nothing is wrong, as informers do; in seconds. */
const watchSeconds = 20;

/**
 * Follows a resource through the kube-apiserver of its node as client-go's reflector does: it lists, watches from there, watches
 * on from the last revision when a watch ends, and lists anew only when it is told to (410). And it writes there, one object after
 * the other. Now and then it asks what there is: what is not newer than what was seen must be in its cache, or it must soon be
 * told to list anew. Else a change was missed in silence.
 */
export class Informer {
  readonly #client: KubeClient;
  readonly #prefix: string;
  readonly #answer: InformerAnswer = { lists: 0, watches: 0, events: 0, written: 0, missed: [] };
  readonly #writer: Promise<void>;
  readonly #others: Promise<unknown>[];
  /** Name of an object to its revision. */
  readonly #cache = new Map<string, number>();
  #lastRevision = 0;
  #writing = true;
  /** Fires at the end; the audits stop waiting then. */
  readonly #ended = new AbortController();
  #following = true;

  private constructor(client: KubeClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#writer = this.#write();
    this.#others = [this.#follow(), this.#auditNowAndThen()];
  }

  /**
   * Begins when the kube-apiserver serves the objects; makes their CRD where there is none yet.
   * @param prefix of the names of the objects that it writes: another one for each informer
   * @throws Error when they are not served in time
   */
  static async start(access: KubeAccess, prefix: string): Promise<Informer> {
    const client = new KubeClient(access);
    await client.call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd);
    await eventually(
      () => client.call('GET', path),
      ({ status }) => status === 200,
      servedLimitMs,
    );
    return new Informer(client, prefix);
  }

  /**
   * Writes a last object, waits until that was seen, compares all, and ends.
   * @throws Error when the kube-apiserver does not answer
   */
  async stop(): Promise<InformerAnswer> {
    this.#writing = false;
    try {
      await this.#writer;
      await this.#seeLast(`${this.#prefix}-last`);
      await this.#audit();
    } finally {
      this.#following = false;
      this.#ended.abort();
      this.#client.close();
    }
    await Promise.all(this.#others);
    return this.#answer;
  }

  async #seeLast(marker: string): Promise<void> {
    await this.#create(marker);
    const deadline = performance.now() + markerLimitMs;
    while (!this.#cache.has(marker) && performance.now() < deadline) await delay(retryMs);
    if (!this.#cache.has(marker)) this.#answer.missed.push(`${marker} was never seen`);
  }

  async #write(): Promise<void> {
    for (let i = 0; this.#writing; i++) {
      const written = await this.#create(`${this.#prefix}-${i}`).catch(() => false);
      if (written) this.#answer.written++;
      await delay(writePauseMs);
    }
  }

  async #create(name: string): Promise<boolean> {
    const object = { apiVersion: `${counters.group}/v1`, kind: 'Counter', metadata: { name } };
    const { status } = await this.#client.call('POST', path, object);
    return status === 201;
  }

  async #follow(): Promise<void> {
    let listed = false;
    while (this.#following) {
      try {
        if (!listed) await this.#list();
        listed = true;
        listed = await this.#watch();
      } catch (error) {
        if (error instanceof WatchRefused && error.status === 410) listed = false;
        await delay(retryMs);
      }
    }
  }

  async #list(): Promise<void> {
    const { objects, revision } = await this.#ask();
    this.#answer.lists++;
    this.#cache.clear();
    for (const [name, each] of objects) this.#cache.set(name, each);
    this.#lastRevision = revision;
  }

  /** What there is, by name and revision. */
  async #ask(): Promise<{ objects: Map<string, number>; revision: number }> {
    const { status, body } = await this.#client.call('GET', path);
    if (status !== 200) throw new Error(`the list got ${status}`);
    const { items, metadata } = body as { items: KubeObject[]; metadata: { resourceVersion: string } };
    const objects = items.map((item) => [item.metadata.name, Number(item.metadata.resourceVersion)] as const);
    return { objects: new Map(objects), revision: Number(metadata.resourceVersion) };
  }

  async #auditNowAndThen(): Promise<void> {
    while (this.#following) {
      await delay(auditPauseMs, undefined, { signal: this.#ended.signal }).catch(() => undefined);
      await this.#audit().catch(() => undefined);
    }
  }

  /** Compares what there is with the cache, unless a new list was asked for in the meantime. */
  async #audit(): Promise<void> {
    const { lists } = this.#answer;
    const { objects } = await this.#ask();
    await delay(toldWithinMs, undefined, { signal: this.#ended.signal });
    if (this.#answer.lists !== lists) return;
    const unseen = [...objects].filter(
      ([name, revision]) => revision <= this.#lastRevision && (this.#cache.get(name) ?? 0) < revision,
    );
    for (const [name, revision] of unseen) {
      this.#answer.missed.push(`${name} at ${revision}, though ${this.#lastRevision} was seen`);
    }
  }

  /** @returns whether it may watch on from the last revision; else it must list */
  async #watch(): Promise<boolean> {
    this.#answer.watches++;
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${watchSeconds}&resourceVersion=${this.#lastRevision}`;
    for await (const { type, object } of this.#client.watch(`${path}?${query}`)) {
      if (type === 'ERROR') return false;
      const { name, resourceVersion } = object.metadata;
      const revision = Number(resourceVersion);
      if (revision < this.#lastRevision) {
        this.#answer.missed.push(
          `${type} at ${revision} after ${this.#lastRevision}: the revision goes back`,
        );
      }
      this.#lastRevision = revision;
      if (type === 'BOOKMARK') continue;
      this.#answer.events++;
      if (type === 'DELETED') this.#cache.delete(name);
      else this.#cache.set(name, revision);
    }
    return true;
  }
}
