import { isDeepStrictEqual } from 'node:util';
import { assign } from './assign.ts';
import { answersOf, type Band, bandOf, bandsOf, type LogEntry, show } from './band.ts';
import type { Answer, History, LeaseRecord, Operation } from './history.ts';
import { execute, type Snapshot } from './model.ts';
import { checkRealTime, firstSeen, type Placed, type Sighting } from './real-time.ts';
import { checkWatch } from './watch-order.ts';

export interface Report {
  /** What must not be, each in a sentence; empty when the history is right. */
  problems: string[];
  /** What was judged. */
  counts: {
    acknowledged: number;
    refused: number;
    unknown: number;
    /** Calls without an answer which turned out to have happened. */
    happened: number;
    /** Answers whose revision nobody watched, so that only their order could be checked. */
    unwatched: number;
    revisions: number;
    watchEvents: number;
  };
}

/** Who may have made a revision that no answer claims. */
type Maker = Operation | LeaseRecord;

/**
 * Checks a history for strict serializability. Each answer of etcd carries its revision, so the order need not be searched for:
 * it is read from the watches, and then everything is compared with it: the content of each answer, each change, real time,
 * each watch. What no answer claims must be a call without an answer (once at most), the end of a lease, or a merge.
 */
export function checkHistory(history: History): Report {
  const { bands, problems } = bandsOf(history);
  return new Check(history, bands, problems).run();
}

class Check {
  readonly #history: History;
  readonly #bands: ReadonlyMap<number, Band>;
  readonly #problems: string[];
  /** Who made which revision. */
  readonly #claims = new Map<number, Operation>();
  readonly #placed: Placed[] = [];
  readonly #sightings: Sighting[];
  #unwatched = 0;
  #happened = 0;

  constructor(history: History, bands: ReadonlyMap<number, Band>, problems: string[]) {
    this.#history = history;
    this.#bands = bands;
    this.#problems = problems;
    this.#sightings = sightingsOf(history);
  }

  run(): Report {
    const { operations, watches } = this.#history;
    const answered = answersOf(operations);
    for (const { operation, answer } of answered) this.#checkAnswer(operation, answer);
    this.#explainTheRest();
    this.#problems.push(...checkRealTime(this.#placed, this.#sightings));
    for (const watch of watches) this.#problems.push(...checkWatch(watch, this.#bands));
    const count = (outcome: string) => operations.filter((operation) => operation.outcome === outcome).length;
    return {
      problems: this.#problems,
      counts: {
        acknowledged: answered.length,
        refused: count('refused'),
        unknown: count('unknown'),
        happened: this.#happened,
        unwatched: this.#unwatched,
        revisions: [...this.#bands.values()].reduce((sum, { entries }) => sum + entries.length, 0),
        watchEvents: watches.reduce((sum, { answers }) => sum + eventsIn(answers), 0),
      },
    };
  }

  /** The last band of the leader's is the one that goes on: what was acknowledged in it is there. */
  #isNewest(band: number): boolean {
    return band % 2 === 0 && ![...this.#bands.keys()].some((other) => other > band && other % 2 === 0);
  }

  readonly #at = (revision: number): Snapshot | undefined => {
    const band = this.#bands.get(bandOf(revision));
    return band?.knows(revision) ? band.at(revision) : undefined;
  };

  #checkAnswer(operation: Operation, answer: Answer): void {
    const wrote = hasWritten(answer);
    const what = `${nameOf(operation)} at ${operation.endpoint}`;
    const { revision } = answer;
    if (!operation.serializable) this.#placed.push({ ...operation, what, revision, wrote });
    const claimed = this.#claims.get(revision);
    if (wrote && claimed)
      this.#problems.push(`revision ${revision} was given to ${nameOf(claimed)} and to ${what}`);
    if (wrote) this.#claims.set(revision, operation);
    const band = this.#bands.get(bandOf(revision));
    if (band && revision > band.last && this.#isNewest(band.number)) {
      this.#problems.push(`${what} was answered with revision ${revision}; the log ends at ${band.last}`);
      return;
    }
    const before = this.#at(wrote ? revision - 1 : revision);
    if (!before || !band?.knows(revision) || !this.#canExecute(operation)) {
      this.#unwatched++;
      return;
    }
    const expected = execute(before, operation.request, revision, this.#at);
    const { succeeded, results } = answer;
    if (succeeded !== expected.succeeded || !isDeepStrictEqual(results, expected.results))
      this.#problems.push(
        `${what} was answered at revision ${revision} with ${text({ succeeded, results })}; ` +
          `it should be ${text({ succeeded: expected.succeeded, results: expected.results })}`,
      );
    const changes = wrote ? band.changes(revision) : [];
    if (!isDeepStrictEqual(expected.changes, changes))
      this.#problems.push(
        `${what} should have made of revision ${revision}: ${show(expected.changes)}; it is ${show(changes)}`,
      );
  }

  /** Whether every old revision that it reads is known. */
  #canExecute({ request }: Operation): boolean {
    return [...request.success, ...request.failure].every(
      (op) => op.kind !== 'get' || op.revision === 0 || this.#at(op.revision) !== undefined,
    );
  }

  /** Every revision was made by somebody. */
  #explainTheRest(): void {
    const { prefix, operations, leases } = this.#history;
    const unknown = operations.filter(({ outcome }) => outcome === 'unknown');
    const open = [...this.#bands.values()].flatMap((band) =>
      band.entries.filter(
        ({ revision, changes }) =>
          !this.#claims.has(revision) && changes.some(({ key }) => key.startsWith(prefix)),
      ),
    );
    const seenMs = firstSeen(this.#sightings);
    const makers = assign<LogEntry, Maker>(open, (entry) => {
      const knownMs = seenMs(entry.revision);
      return [
        ...unknown.filter(
          (operation) => operation.invokedMs <= knownMs && this.#couldHaveMade(operation, entry),
        ),
        ...leases.filter(({ id }) => this.#couldHaveEnded(id, entry)),
      ];
    });
    const idle = new Set(unknown);
    for (const maker of makers.values()) if (!('ttlMs' in maker)) idle.delete(maker);
    for (const entry of open) {
      // One that came too late is better than none: real time will tell.
      const maker = makers.get(entry) ?? this.#takeMaker(idle, entry);
      if (!maker) this.#checkMerged(entry);
      else if ('ttlMs' in maker) this.#checkExpiry(maker, entry.revision, seenMs(entry.revision));
      else this.#happen(maker, entry.revision);
    }
  }

  #takeMaker(idle: Set<Operation>, entry: LogEntry): Operation | undefined {
    const maker = [...idle].find((operation) => this.#couldHaveMade(operation, entry));
    if (maker) idle.delete(maker);
    return maker;
  }

  #happen(operation: Operation, revision: number): void {
    this.#happened++;
    const what = `${nameOf(operation)}, which was not answered,`;
    // Who made it in the end may be the other node.
    this.#placed.push({ what, endpoint: '', invokedMs: operation.invokedMs, revision, wrote: true });
  }

  #couldHaveMade({ request }: Operation, { revision, changes }: LogEntry): boolean {
    const before = this.#at(revision - 1);
    if (!before || !mayHold(request, changes)) return false;
    return isDeepStrictEqual(execute(before, request, revision, this.#at).changes, changes);
  }

  /** Whether the revision deletes all keys of a lease, and nothing else. */
  #couldHaveEnded(lease: string, { revision, changes }: LogEntry): boolean {
    if (changes.some(({ version }) => version > 0)) return false;
    const before = this.#at(revision - 1);
    const [first] = changes;
    if (!before || !first || before.get(first.key)?.lease !== lease) return false;
    const attached = before.range({ key: '\0', end: '\0' }).filter((keyValue) => keyValue.lease === lease);
    const deleted = new Set(changes.map(({ key }) => key));
    return attached.length === deleted.size && attached.every(({ key }) => deleted.has(key));
  }

  /** A lease lives for its TTL at least after it was last renewed, unless somebody revokes it. */
  #checkExpiry({ id, ttlMs, renewals, revokedMs }: LeaseRecord, revision: number, seenMs: number): void {
    if (revokedMs !== null && revokedMs <= seenMs) return;
    const renewedMs = renewals
      .filter((renewal) => renewal.askedMs <= seenMs && isKnownIn(bandOf(revision), bandOf(renewal.revision)))
      .map(({ askedMs }) => askedMs);
    const early = Math.max(...renewedMs) + ttlMs - seenMs;
    if (early > 0)
      this.#problems.push(`lease ${id} ended ${Math.ceil(early)} ms early, at revision ${revision}`);
  }

  /** What a follower wrote alone, in a band before, stands in the log again when it is merged. */
  #checkMerged({ revision, changes }: LogEntry): void {
    const alone = [...this.#bands.values()].filter(
      ({ number }) => number % 2 === 1 && number < bandOf(revision),
    );
    const isMerged = changes.every(({ key, value, version }) =>
      alone.some((band) => {
        const there = band.at(band.last).get(key);
        return version === 0 ? !there : there?.value === value;
      }),
    );
    if (!isMerged) this.#problems.push(`nobody made revision ${revision}: ${show(changes)}`);
  }
}

/** Whether who wrote in a band knew of a lease's renewal in another: of what the other node renewed alone it did not. */
function isKnownIn(band: number, renewal: number): boolean {
  return renewal === band || (renewal < band && band % 2 === 0 && renewal % 2 === 0);
}

/** A quick look before a call is run: it puts and deletes what changed, as far as can be told without the state. */
function mayHold(request: Operation['request'], changes: LogEntry['changes']): boolean {
  const ops = [...request.success, ...request.failure];
  return changes.every((change) =>
    ops.some((op) =>
      change.version === 0
        ? op.kind === 'delete'
        : op.kind === 'put' && op.key === change.key && op.value === change.value,
    ),
  );
}

function hasWritten({ results }: Answer): boolean {
  return results.some((result) => result.kind === 'put' || (result.kind === 'delete' && result.deleted > 0));
}

function sightingsOf({ operations, watches }: History): Sighting[] {
  const answers = answersOf(operations).map(({ operation, answer }) => ({
    endpoint: operation.endpoint,
    returnedMs: operation.returnedMs,
    revision: answer.revision,
  }));
  const told = watches.flatMap(({ endpoint, answers }) =>
    answers
      .filter(({ events }) => events.length > 0)
      .map(({ atMs, events }) => ({
        endpoint,
        returnedMs: atMs,
        revision: events[events.length - 1]?.keyValue.modRevision ?? 0,
      })),
  );
  return [...answers, ...told];
}

function eventsIn(answers: readonly { events: readonly unknown[] }[]): number {
  return answers.reduce((sum, { events }) => sum + events.length, 0);
}

function nameOf({ request, invokedMs }: Operation): string {
  const ops = [...request.success, ...request.failure];
  const names = ops.map((op) => `${op.kind} ${op.key}${'end' in op && op.end ? `..${op.end}` : ''}`);
  return `${request.compare.length > 0 ? 'txn of ' : ''}${names.join(', ')} (${invokedMs.toFixed(3)} ms)`;
}

function text(value: unknown): string {
  return JSON.stringify(value).slice(0, 300);
}
