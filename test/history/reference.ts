import { Band } from './band.ts';
import type { Compare, History, KeyRange, LeaseRecord, Op, Operation, WatchRecord } from './history.ts';
import { deletion, everyKey, execute, inRange } from './model.ts';

/**
 * Writes right histories for the tests of the checker: a store that does one call after the other, on a clock of whole
 * milliseconds. Each call takes from one tick to the next, unless the test changes its times.
 */
export class Reference {
  readonly history: History = { prefix: 'k/', operations: [], watches: [], leases: [] };
  #band: Band;
  #nowMs = 0;

  /** @param first the revision of the empty store */
  constructor(first = 1) {
    this.#band = new Band({ revision: first, keyValues: [] });
  }

  get revision(): number {
    return this.#band.last;
  }

  /** Does a call that is answered. */
  call(request: Partial<Operation['request']>, endpoint = 'node-a'): Operation {
    const operation = this.#operation(request, endpoint);
    const { last } = this.#band;
    const at = (revision: number) => this.#band.at(revision);
    const { changes, ...answer } = execute(at(last), operation.request, last + 1, at);
    if (changes.length > 0) this.#band.append({ revision: last + 1, changes });
    operation.outcome = { revision: this.#band.last, ...answer };
    return operation;
  }

  /** Does a call whose answer does not come. */
  lost(request: Partial<Operation['request']>): Operation {
    const operation = this.call(request);
    operation.outcome = 'unknown';
    return operation;
  }

  /** A call that did not happen; its client may not know that. */
  unanswered(request: Partial<Operation['request']>, outcome: 'unknown' | 'refused' = 'unknown'): Operation {
    const operation = this.#operation(request, 'node-a');
    operation.outcome = outcome;
    return operation;
  }

  grant(id: string, ttlMs: number): LeaseRecord {
    const lease = {
      id,
      ttlMs,
      renewals: [{ askedMs: this.#nowMs++, revision: this.#band.last }],
      revokedMs: null,
    };
    this.history.leases.push(lease);
    return lease;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Ends a lease with all its keys. */
  expire(id: string): void {
    const revision = this.#band.last + 1;
    const attached = this.#band
      .at(revision - 1)
      .range(everyKey)
      .filter(({ lease }) => lease === id);
    this.#band.append({ revision, changes: attached.map(({ key }) => deletion(key, revision)) });
  }

  /** A watch that is told everything that has happened since, an answer for each revision. */
  watch(startRevision: number, range: KeyRange = everyKey, endpoint = 'node-a'): WatchRecord {
    const record: WatchRecord = { ...range, endpoint, startRevision, answers: [] };
    for (const { revision, changes } of this.#band.entries) {
      if (revision < startRevision) continue;
      const before = this.#band.at(revision - 1);
      const events = changes
        .filter(({ key }) => inRange(key, range))
        .map((keyValue) => ({ keyValue, previous: before.get(keyValue.key) ?? null }));
      if (events.length > 0) record.answers.push({ atMs: this.#nowMs, revision, events });
    }
    this.#nowMs++;
    this.history.watches.push(record);
    return record;
  }

  /** Reads every key, as whoever watches all of them does first. */
  list(endpoint = 'node-a'): Operation {
    return this.call({ success: [get(everyKey.key, everyKey.end)] }, endpoint);
  }

  #operation(request: Partial<Operation['request']>, endpoint: string): Operation {
    const invokedMs = this.#nowMs;
    this.#nowMs += 2;
    const operation: Operation = {
      endpoint,
      invokedMs,
      returnedMs: invokedMs + 1,
      request: { compare: [], success: [], failure: [], ...request },
      serializable: false,
      outcome: 'refused',
    };
    this.history.operations.push(operation);
    return operation;
  }
}

export const get = (key: string, end = '', revision = 0): Op => ({
  kind: 'get',
  key,
  end,
  revision,
  limit: 0,
});
export const put = (key: string, value: string, lease = '0'): Op => ({ kind: 'put', key, value, lease });
export const del = (key: string, end = ''): Op => ({ kind: 'delete', key, end });
export const at = (key: string, modRevision: number): Compare => ({
  key,
  target: 'modRevision',
  equals: modRevision,
});
