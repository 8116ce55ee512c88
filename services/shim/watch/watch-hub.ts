import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import { EventCache } from './event.ts';
import type { Watcher } from './watcher.ts';

/** Events and their bytes at which an answer is closed while a watcher catches up, at the end of a revision. */
const catchUpEventsMax = 1_000;
const catchUpBytesMax = 1024 * 1024;

/** What a watcher gets of one record: events from revision `first` on. */
interface Batch {
  first: number;
  events: Buffer[];
}

/** The client is slow: it is served from the history when it is ready, from a revision on. */
function leaveBehind(watcher: Watcher, from: number): void {
  watcher.synced = false;
  watcher.next = from;
}

/**
 * Serves all watchers of a node. A watcher whose client keeps up gets changes as they become visible; one that is behind
 * keeps only its place, and reads the store's history when its client is ready: no queue grows, and no event is lost. If
 * what it needs is compacted meanwhile it is told so.
 */
export class WatchHub {
  #store: Store;
  readonly #watchers = new Set<Watcher>();
  /** Watchers of a single key, which is most of what Kubernetes' secrets and config maps are watched by. */
  readonly #byKey = new Map<string, Set<Watcher>>();
  readonly #ranges = new Set<Watcher>();

  constructor(store: Store) {
    this.#store = store;
  }

  get size(): number {
    return this.#watchers.size;
  }

  /** How many watchers are behind, most likely because their clients are slow. */
  get behind(): number {
    let count = 0;
    for (const watcher of this.#watchers) if (!watcher.synced) count++;
    return count;
  }

  /** The revision up to which watchers are served. */
  get revision(): number {
    return this.#store.visible;
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    if (watcher.end === undefined) {
      const others = this.#byKey.get(watcher.key);
      if (others) others.add(watcher);
      else this.#byKey.set(watcher.key, new Set([watcher]));
    } else {
      this.#ranges.add(watcher);
    }
    this.catchUp(watcher);
  }

  remove(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    this.#ranges.delete(watcher);
    const others = this.#byKey.get(watcher.key);
    others?.delete(watcher);
    if (others?.size === 0) this.#byKey.delete(watcher.key);
  }

  /** Delivers the changes that became visible: those with `after` < revision <= `upTo`. */
  notify(after: number, upTo: number): void {
    if (this.#endCompacted(after)) return;
    const cache = new EventCache();
    const batches = new Map<Watcher, Batch>();
    for (const version of this.#store.changes(after, upTo)) {
      for (const watcher of this.#byKey.get(version.entry.key) ?? [])
        this.#collect(watcher, version, cache, batches);
      for (const watcher of this.#ranges) this.#collect(watcher, version, cache, batches);
    }
    for (const [watcher, batch] of batches) this.#deliver(watcher, batch, upTo);
  }

  /** A jump made everything before it compacted: all watches end. Returns whether that was so. */
  #endCompacted(after: number): boolean {
    if (this.#store.compacted <= after) return false;
    for (const watcher of [...this.#watchers]) {
      if (watcher.next < this.#store.compacted) this.#endAsCompacted(watcher);
    }
    return this.#watchers.size === 0;
  }

  #collect(watcher: Watcher, version: Version, cache: EventCache, batches: Map<Watcher, Batch>): void {
    if (!watcher.synced || !watcher.wants(version)) return;
    if (watcher.sink.congested) {
      leaveBehind(watcher, version.modRevision);
      return;
    }
    const event = cache.get(version, watcher.withPrevious ? this.#previous : null);
    const batch = batches.get(watcher);
    if (batch) batch.events.push(event);
    else batches.set(watcher, { first: version.modRevision, events: [event] });
  }

  readonly #previous = (version: Version) => this.#store.previous(version);

  /** The watchers before it on the same stream may have made it slow by now. */
  #deliver(watcher: Watcher, { first, events }: Batch, revision: number): void {
    if (watcher.sink.congested) {
      leaveBehind(watcher, first);
      return;
    }
    watcher.next = revision + 1;
    watcher.active = true;
    watcher.sink.events(watcher, events, revision);
  }

  /** Serves a watcher from the history until it has everything or its client is slow. */
  catchUp(watcher: Watcher): void {
    while (this.#watchers.has(watcher) && !watcher.synced && !watcher.sink.congested) {
      if (watcher.next < this.#store.compacted) {
        this.#endAsCompacted(watcher);
        return;
      }
      const { events, last } = this.#history(watcher);
      if (last >= this.#store.visible) watcher.synced = true;
      watcher.next = Math.max(watcher.next, last + 1);
      if (events.length === 0) continue;
      watcher.active = true;
      watcher.sink.events(watcher, events, last);
    }
  }

  /** The next events of a watcher that is behind, and the revision that they reach. */
  #history(watcher: Watcher): { events: Buffer[]; last: number } {
    const cache = new EventCache();
    const events: Buffer[] = [];
    let last = this.#store.visible;
    let revision = 0;
    let bytes = 0;
    for (const version of this.#store.changes(watcher.next - 1, this.#store.visible)) {
      const isFull = events.length >= catchUpEventsMax || bytes >= catchUpBytesMax;
      if (isFull && version.modRevision > revision) {
        last = revision;
        break;
      }
      revision = version.modRevision;
      if (!watcher.wants(version)) continue;
      const event = cache.get(version, watcher.withPrevious ? this.#previous : null);
      events.push(event);
      bytes += event.length;
    }
    return { events, last };
  }

  #endAsCompacted(watcher: Watcher): void {
    this.remove(watcher);
    watcher.sink.compacted(watcher, this.#store.compacted);
  }

  /** Goes over to another store, in which all revisions up to its compact revision are gone. */
  replaceStore(store: Store): void {
    this.#store = store;
    for (const watcher of [...this.#watchers]) this.#endAsCompacted(watcher);
  }
}
