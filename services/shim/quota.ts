import type { PutRequest, RequestOp, TxnRequest } from './etcd/messages.ts';

/** How often the size of the log is asked for, in milliseconds; in between it is what was written that counts. */
const refreshIntervalMs = 1_000;
/** What stays free above the quota for what must always be possible: alarms, deletions, compactions. In bytes. */
const reserveBytes = 16 * 1024 * 1024;
/** etcd's estimates of what stands beside key and value, and of a lease, in bytes (server/storage/quota.go). */
const keyOverheadBytes = 256;
export const leaseCostBytes = 64;

/** The hard limit of a log's stream whose quota is this, in bytes. */
export function streamBytesMax(quotaBytes: number): number {
  return quotaBytes + Math.max(quotaBytes / 8, reserveBytes);
}

/** Whether there is room for a write: the log's size plus what the write costs stays below the quota, as in etcd. */
export class Quota {
  readonly #quotaBytes: number;
  readonly #logBytes: () => Promise<number>;
  readonly #timer: NodeJS.Timeout;
  #sizeBytes = 0;
  #writtenBytes = 0;
  #refreshing: Promise<void> | null = null;

  /** @param logBytes the log's size on disk; a failure leaves the last one in force */
  constructor(quotaBytes: number, logBytes: () => Promise<number>) {
    this.#quotaBytes = quotaBytes;
    this.#logBytes = logBytes;
    this.#timer = setInterval(() => void this.refresh(), refreshIntervalMs);
    void this.refresh();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks for the size of the log now. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refreshOnce().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #refreshOnce(): Promise<void> {
    const before = this.#writtenBytes;
    const size = await this.#logBytes().catch(() => null);
    if (size === null) return;
    this.#sizeBytes = size;
    this.#writtenBytes -= before;
  }

  /** Takes the room for a write. Returns false when there is none. */
  take(costBytes: number): boolean {
    if (this.#sizeBytes + this.#writtenBytes + costBytes >= this.#quotaBytes) return false;
    this.#writtenBytes += costBytes;
    return true;
  }
}

/** What a Put costs, in bytes. */
export function costOfPut({ key, value }: PutRequest): number {
  return keyOverheadBytes + key.length + value.length;
}

/** What the dearer branch of a Txn costs, in bytes; 0 when it puts nothing. */
export function costOfTxn({ success, failure }: TxnRequest): number {
  const costOf = (ops: RequestOp[]) => ops.reduce((sum, op) => sum + costOfOp(op), 0);
  return Math.max(costOf(success), costOf(failure));
}

function costOfOp({ requestPut, requestTxn }: RequestOp): number {
  if (requestPut) return costOfPut(requestPut);
  return requestTxn ? costOfTxn(requestTxn) : 0;
}
