import { isDeepStrictEqual } from 'node:util';
import { bandSize } from '../../services/shim/store/revision-band.ts';
import type { Answer, History, KeyRange, KeyValue, Operation } from './history.ts';
import { everyKey, inRange, type Snapshot } from './model.ts';

/** The number of the band that a revision is in. */
export function bandOf(revision: number): number {
  return Math.floor(revision / bandSize);
}

/** Everything that was there at one revision. */
interface Listing {
  revision: number;
  keyValues: KeyValue[];
}

/** What happened at one revision, in the order in which watches told it. */
export interface LogEntry {
  revision: number;
  changes: KeyValue[];
}

/**
 * One band of revisions as it was watched: a listing of all keys, and every revision after it without a gap. Within a band
 * there is one order of everything, on whichever node it was seen.
 */
export class Band {
  readonly number: number;
  /** The revision of the listing that it begins with. */
  readonly first: number;
  readonly entries: LogEntry[] = [];
  /** All versions of each key, oldest first; deletions too. */
  readonly #versions = new Map<string, KeyValue[]>();
  #sortedKeys: string[] | null = null;

  constructor(listing: Listing) {
    this.number = bandOf(listing.revision);
    this.first = listing.revision;
    for (const keyValue of listing.keyValues) this.#versions.set(keyValue.key, [keyValue]);
  }

  /** The newest revision that was watched. */
  get last(): number {
    return this.first + this.entries.length;
  }

  /**
   * Adds the next revision.
   * @returns what is wrong with it, or null
   */
  append(entry: LogEntry): string | null {
    const problem = this.#problemOf(entry);
    this.entries.push(entry);
    this.#sortedKeys = null;
    for (const change of entry.changes) {
      const versions = this.#versions.get(change.key);
      if (versions) versions.push(change);
      else this.#versions.set(change.key, [change]);
    }
    return problem;
  }

  /** The numbers of a change follow from what the key was before. */
  #problemOf({ revision, changes }: LogEntry): string | null {
    const before = this.at(revision - 1);
    const keys = new Set<string>();
    for (const change of changes) {
      if (keys.has(change.key)) return `revision ${revision} changes ${change.key} twice`;
      keys.add(change.key);
      const previous = before.get(change.key);
      if (change.version === 0) {
        if (!previous) return `revision ${revision} deletes ${change.key}, which was not there`;
        continue;
      }
      const createRevision = previous?.createRevision ?? revision;
      const version = (previous?.version ?? 0) + 1;
      if (change.createRevision !== createRevision || change.version !== version) {
        return (
          `revision ${revision} has ${change.key} created at ${change.createRevision}, version ${change.version}; ` +
          `that should be ${createRevision} and ${version}`
        );
      }
    }
    return null;
  }

  /** Whether the state at a revision is known. */
  knows(revision: number): boolean {
    return revision >= this.first && revision <= this.last;
  }

  /** What happened at a revision, which must be behind the first one. */
  changes(revision: number): KeyValue[] {
    return this.entries[revision - this.first - 1]?.changes ?? [];
  }

  /** All keys at a revision that it knows. */
  at(revision: number): Snapshot {
    const get = (key: string) => {
      const version = newestAt(this.#versions.get(key) ?? [], revision);
      return version && version.version > 0 ? version : undefined;
    };
    return {
      get,
      range: (range: KeyRange) => {
        if (range.end === '') return [get(range.key)].filter((keyValue) => keyValue !== undefined);
        this.#sortedKeys ??= [...this.#versions.keys()].sort((a, b) => (a < b ? -1 : 1));
        return this.#sortedKeys
          .filter((key) => inRange(key, range))
          .map(get)
          .filter((keyValue) => keyValue !== undefined);
      },
    };
  }
}

function newestAt(versions: KeyValue[], revision: number): KeyValue | undefined {
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((versions[middle]?.modRevision ?? 0) <= revision) low = middle + 1;
    else high = middle;
  }
  return versions[low - 1];
}

/** Answers of operations, with them. */
export function answersOf(operations: readonly Operation[]): { operation: Operation; answer: Answer }[] {
  return operations.flatMap((operation) =>
    typeof operation.outcome === 'string' ? [] : [{ operation, answer: operation.outcome }],
  );
}

/**
 * Puts together what all watches of every key saw. A revision has one content whoever saw it, and none is missing between
 * the first and the last.
 */
export function bandsOf(history: History): { bands: Map<number, Band>; problems: string[] } {
  const problems: string[] = [];
  const seen = entriesOf(history, problems);
  const listings = listingsOf(history);
  const bands = new Map<number, Band>();
  const numbers = new Set([...listings, ...seen.values()].map(({ revision }) => bandOf(revision)));
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const isOfBand = ({ revision }: { revision: number }) => bandOf(revision) === number;
    const entries = [...seen.values()].filter(isOfBand).sort((a, b) => a.revision - b.revision);
    const listing = bestListing(listings.filter(isOfBand), entries);
    if (!listing) {
      problems.push(`nobody listed all keys before the watch of revision ${entries[0]?.revision}`);
      continue;
    }
    const band = new Band(listing);
    bands.set(number, band);
    for (const entry of entries) {
      if (entry.revision <= band.first) continue;
      if (entry.revision !== band.last + 1) {
        problems.push(`revision ${band.last + 1} is missing before ${entry.revision}`);
        break;
      }
      const problem = band.append(entry);
      if (problem) problems.push(problem);
    }
  }
  return { bands, problems };
}

/** What each revision holds, by all watches of every key. */
function entriesOf({ watches }: History, problems: string[]): Map<number, LogEntry> {
  const entries = new Map<number, LogEntry>();
  for (const watch of watches) {
    if (watch.key !== everyKey.key || watch.end !== everyKey.end) continue;
    for (const entry of groupByRevision(watch.answers.flatMap(({ events }) => events))) {
      const known = entries.get(entry.revision);
      if (!known) entries.set(entry.revision, entry);
      else if (!isDeepStrictEqual(known, entry))
        problems.push(
          `revision ${entry.revision} has two contents: ${show(known.changes)} and ${show(entry.changes)}`,
        );
    }
  }
  return entries;
}

export function groupByRevision(events: readonly { keyValue: KeyValue }[]): LogEntry[] {
  const groups: LogEntry[] = [];
  for (const { keyValue } of events) {
    const last = groups[groups.length - 1];
    if (last?.revision === keyValue.modRevision) last.changes.push(keyValue);
    else groups.push({ revision: keyValue.modRevision, changes: [keyValue] });
  }
  return groups;
}

/** Reads of every key without a limit; and a new store, which is empty at revision 1. */
function listingsOf({ operations }: History): Listing[] {
  const listings: Listing[] = [];
  for (const { operation, answer } of answersOf(operations)) {
    const [op] = operation.request.success;
    const [result] = answer.results;
    if (op?.kind !== 'get' || result?.kind !== 'get' || operation.request.success.length > 1) continue;
    if (op.key !== everyKey.key || op.end !== everyKey.end || op.limit > 0) continue;
    listings.push({ revision: op.revision || answer.revision, keyValues: result.keyValues });
  }
  return [{ revision: 1, keyValues: [] }, ...listings.sort((a, b) => a.revision - b.revision)];
}

/** The oldest listing that is not before the first entry's predecessor; without entries the newest one. */
function bestListing(listings: Listing[], entries: LogEntry[]): Listing | undefined {
  const [first] = entries;
  if (!first) return listings[listings.length - 1];
  return listings.find(({ revision }) => revision >= first.revision - 1);
}

export function show(changes: readonly KeyValue[]): string {
  return changes
    .map(({ key, value, version }) => (version === 0 ? `-${key}` : `${key}=${value.slice(0, 40)}`))
    .join(', ');
}
