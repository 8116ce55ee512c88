import type { Compare, KeyRange, KeyValue, Op, OpResult, Request } from './history.ts';

/** All keys at one revision. */
export interface Snapshot {
  get(key: string): KeyValue | undefined;
  /** The keys of a range, in order. */
  range(range: KeyRange): KeyValue[];
}

/** What a call makes of a state. */
export interface Execution {
  succeeded: boolean;
  results: OpResult[];
  /** In the order in which they were made. */
  changes: KeyValue[];
}

export const everyKey: KeyRange = { key: '\0', end: '\0' };

export function inRange(key: string, range: KeyRange): boolean {
  if (range.end === '') return key === range.key;
  return key >= range.key && (range.end === '\0' || key < range.end);
}

/**
 * Runs a call on a state, as etcd must.
 * @param revision the revision that its changes get
 * @param at the state at an older revision, for reads that ask for one; undefined when it is not known
 */
export function execute(
  before: Snapshot,
  request: Request,
  revision: number,
  at: (revision: number) => Snapshot | undefined,
): Execution {
  const succeeded = request.compare.every((compare) => holds(before, compare));
  const working = new Working(before, revision);
  const ops = succeeded ? request.success : request.failure;
  const results = ops.map((op) => runOp(working, op, at));
  return { succeeded, results, changes: working.changes };
}

function holds(state: Snapshot, { key, target, equals }: Compare): boolean {
  const keyValue = state.get(key);
  if (target === 'value') return keyValue?.value === equals;
  return (keyValue?.[target] ?? 0) === equals;
}

function runOp(working: Working, op: Op, at: (revision: number) => Snapshot | undefined): OpResult {
  switch (op.kind) {
    case 'get': {
      const all = ((op.revision > 0 ? at(op.revision) : undefined) ?? working).range(op);
      return { kind: 'get', keyValues: op.limit > 0 ? all.slice(0, op.limit) : all, count: all.length };
    }
    case 'put':
      return { kind: 'put', previous: working.put(op.key, op.value, op.lease) };
    case 'delete': {
      const previous = working.delete(op);
      return { kind: 'delete', deleted: previous.length, previous };
    }
  }
}

/** A state with the changes of one transaction on top. */
class Working implements Snapshot {
  readonly #before: Snapshot;
  readonly #revision: number;
  readonly #changed = new Map<string, KeyValue>();
  readonly changes: KeyValue[] = [];

  constructor(before: Snapshot, revision: number) {
    this.#before = before;
    this.#revision = revision;
  }

  get(key: string): KeyValue | undefined {
    const changed = this.#changed.get(key);
    if (!changed) return this.#before.get(key);
    return changed.version > 0 ? changed : undefined;
  }

  range(range: KeyRange): KeyValue[] {
    if (this.#changed.size === 0) return this.#before.range(range);
    const unchanged = this.#before.range(range).filter(({ key }) => !this.#changed.has(key));
    const changed = [...this.#changed.values()].filter((kv) => kv.version > 0 && inRange(kv.key, range));
    return [...unchanged, ...changed].sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  put(key: string, value: string, lease: string): KeyValue | null {
    const previous = this.get(key) ?? null;
    const createRevision = previous?.createRevision ?? this.#revision;
    const version = (previous?.version ?? 0) + 1;
    this.#change({ key, value, createRevision, modRevision: this.#revision, version, lease });
    return previous;
  }

  delete(range: KeyRange): KeyValue[] {
    const previous = this.range(range);
    for (const { key } of previous) this.#change(deletion(key, this.#revision));
    return previous;
  }

  #change(keyValue: KeyValue): void {
    this.#changed.set(keyValue.key, keyValue);
    this.changes.push(keyValue);
  }
}

export function deletion(key: string, modRevision: number): KeyValue {
  return { key, value: '', createRevision: 0, modRevision, version: 0, lease: '0' };
}
