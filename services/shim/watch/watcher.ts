import type { WatchCreateRequest } from '../etcd/messages.ts';
import { rangeEnd } from '../kv/range.ts';
import type { Version } from '../store/version.ts';

/** etcd's `WatchCreateRequest.FilterType`. */
const filter = { noPut: 0, noDelete: 1 } as const;

/** Where a watcher's events go: a stream that may be slow. */
export interface WatchSink {
  /** Sends events that all are at revisions up to `revision`. */
  events(watcher: Watcher, events: Buffer[], revision: number): void;
  /** Ends the watcher: what it waited for is compacted. */
  compacted(watcher: Watcher, compactRevision: number): void;
  /** Whether the client reads too slowly: then nothing more is sent until it has caught up. */
  readonly congested: boolean;
}

/** One watch: what it wants, and how far it has been served. */
export class Watcher {
  readonly id: number;
  readonly sink: WatchSink;
  readonly key: string;
  readonly end: string | null | undefined;
  readonly withPrevious: boolean;
  readonly progressNotify: boolean;
  /** Whether an answer above the size limit may be cut into several. */
  readonly fragment: boolean;
  readonly #noPut: boolean;
  readonly #noDelete: boolean;
  /** The first revision that was not yet delivered. */
  next: number;
  /** Whether it is served as changes come; else it is behind and is served from the store's history. */
  synced = false;
  /** Whether anything was sent since the last progress interval. */
  active = false;

  constructor(id: number, request: WatchCreateRequest, next: number, sink: WatchSink) {
    this.id = id;
    this.sink = sink;
    this.key = request.key === '' ? '\0' : request.key;
    this.end = rangeEnd(request.rangeEnd);
    this.withPrevious = request.prevKv;
    this.progressNotify = request.progressNotify;
    this.fragment = request.fragment;
    this.#noPut = request.filters.includes(filter.noPut);
    this.#noDelete = request.filters.includes(filter.noDelete);
    this.next = next;
  }

  wants(version: Version): boolean {
    if (version.modRevision < this.next) return false;
    if (version.deleted ? this.#noDelete : this.#noPut) return false;
    const { key } = version.entry;
    if (this.end === undefined) return key === this.key;
    return key >= this.key && (this.end === null || key < this.end);
  }
}
