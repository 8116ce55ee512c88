/** A lease's place in the queue of deadlines; it may be out of date, see {@link LeaseExpiry}. */
interface Deadline {
  id: bigint;
  atMs: number;
}

/** Places in the heap that may be out of date, beside as many as there are leases. */
const staleMax = 100;

/**
 * When each lease runs out. One heap of deadlines serves thousands of leases with no timer each; keeping a lease alive
 * only notes its new deadline, and its place in the heap is corrected when it comes up.
 *
 * Deadlines are not in the log: who takes the log over gives every lease its full TTL from then on, as etcd does.
 */
export class LeaseExpiry {
  readonly #deadlines = new Map<bigint, number>();
  #heap: Deadline[] = [];

  /** Starts a lease, or starts it anew. */
  start(id: bigint, ttlSeconds: number, nowMs: number): void {
    const atMs = nowMs + ttlSeconds * 1_000;
    const known = this.#deadlines.has(id);
    this.#deadlines.set(id, atMs);
    if (!known) this.#push({ id, atMs });
  }

  /** Its place in the heap goes when there are many such: else leases that are revoked early would pile up there. */
  stop(id: bigint): void {
    this.#deadlines.delete(id);
    if (this.#heap.length > 2 * this.#deadlines.size + staleMax) this.#rebuild();
  }

  /** A sorted list is a heap. */
  #rebuild(): void {
    this.#heap = [...this.#deadlines].map(([id, atMs]) => ({ id, atMs }));
    this.#heap.sort((left, right) => left.atMs - right.atMs);
  }

  /** How many places the heap has: more than there are leases, but not many times as many. */
  get places(): number {
    return this.#heap.length;
  }

  clear(): void {
    this.#deadlines.clear();
    this.#heap = [];
  }

  /** Time left in milliseconds; undefined for a lease that is not known. */
  remainingMs(id: bigint, nowMs: number): number | undefined {
    const atMs = this.#deadlines.get(id);
    return atMs === undefined ? undefined : Math.max(0, atMs - nowMs);
  }

  /** Takes out the leases whose time is over, the oldest first, up to `limit` of them. */
  due(nowMs: number, limit: number): bigint[] {
    const over: bigint[] = [];
    for (let first = this.#heap[0]; first && first.atMs <= nowMs; first = this.#heap[0]) {
      if (over.length >= limit) break;
      this.#pop();
      const atMs = this.#deadlines.get(first.id);
      if (atMs === undefined) continue;
      if (atMs > nowMs) {
        this.#push({ id: first.id, atMs });
        continue;
      }
      this.#deadlines.delete(first.id);
      over.push(first.id);
    }
    return over;
  }

  #push(deadline: Deadline): void {
    const heap = this.#heap;
    let at = heap.push(deadline) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if ((heap[parent] as Deadline).atMs <= deadline.atMs) break;
      heap[at] = heap[parent] as Deadline;
      at = parent;
    }
    heap[at] = deadline;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right && right.atMs < (heap[child] as Deadline).atMs) child++;
      if ((heap[child] as Deadline).atMs >= last.atMs) break;
      heap[at] = heap[child] as Deadline;
      at = child;
    }
    heap[at] = last;
  }
}
