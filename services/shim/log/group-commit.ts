import type { Logger } from '../../../shared/logger.ts';
import type { Store } from '../store/store.ts';
import { FencedError } from './fenced-publisher.ts';
import { chainOf, conflictBytes, type Entry, encodeRecord } from './record.ts';

/** Bytes of entries at which a record is closed. A single transaction may be larger: see kv/transaction.ts. */
const recordBytesMax = 4 * 1024 * 1024;
/** Units of work that may wait for the log; more are refused, as etcd does with its unapplied proposals. */
const waitingMax = 5_000;
/** And their bytes: a log that stands still must not fill the memory with what its clients try again. */
const waitingBytesMax = 256 * 1024 * 1024;

/** Too much is waiting for the log. */
export class OverloadedError extends Error {
  override name = 'OverloadedError';
}

/** One unit: entries that stand or fall together. */
interface Unit {
  entries: Entry[];
  /** It is to be a record though it has no entries. */
  isNoOp: boolean;
  bytes: number;
  /** The head after the unit. */
  revision: number;
  /** Takes back what the unit changed beside the store. */
  undo: () => void;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Where the log stands: what the next record must follow. */
export interface LogPosition {
  sequence: number;
  chain: number;
}

export interface GroupCommitOptions {
  store: Store;
  position: LogPosition;
  /** Number of the epoch under which this writer writes. */
  epoch: number;
  /** Entries with which each record begins. */
  heading?: readonly Entry[];
  /** Writes a record behind a sequence and returns its own; see FencedPublisher.publish for the errors. */
  publish: (record: Buffer, lastSequence: number) => Promise<number>;
  /** Resolves when readers may see the record at this sequence; at once when this node alone is enough. */
  replicated: (sequence: number) => Promise<void>;
  /** Called when a record is in the log, with its sequence, the head after it, and its size. */
  onLogged: (sequence: number, lastRevision: number, bytes: number) => void;
  /** Called when the revisions behind `from` up to `to` became visible. */
  onVisible: (from: number, to: number) => void;
  /** Called once when the writer was fenced off, other than by {@link GroupCommit.stop}. */
  onFenced: (error: Error) => void;
  /** Called when the writer ends. */
  close: () => void;
  now: () => number;
  logger: Logger;
}

interface FlyingRecord {
  units: Unit[];
  sequence: number;
}

/**
 * Group commit: one record is on its way to the log while the next one gathers. Changes are in the store before they are
 * in the log; they are shown to readers, and their callers answered, in the log's order, when they are on disk.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #position: LogPosition;
  /** Head of the store up to which everything is in the log. */
  #loggedRevision: number;
  #gathering: Unit[] = [];
  #publishing = false;
  #scheduled = false;
  #waiting = 0;
  #waitingBytes = 0;
  #broken: Error | null = null;
  /** Ends when the last record that is in the log has been shown. */
  #shown: Promise<void> = Promise.resolve();

  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.#position = options.position;
    this.#loggedRevision = options.store.head;
  }

  get position(): LogPosition {
    return this.#position;
  }

  /** How many units wait for the log. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Refuses more work while too much waits, or for good when the writer was fenced off. Call it before applying.
   * @throws OverloadedError
   * @throws FencedError
   */
  checkAccepting(): void {
    if (this.#broken) throw this.#broken;
    if (this.#waiting >= waitingMax || this.#waitingBytes >= waitingBytesMax)
      throw new OverloadedError('too many requests wait for the log');
  }

  /**
   * Hands over entries whose changes are already applied to the store. Resolves when they are on disk and shown; rejects
   * when they are taken back.
   */
  append(entries: Entry[], undo: () => void = () => undefined): Promise<void> {
    return this.#hand({ entries, undo, isNoOp: false });
  }

  /** Writes a record that changes nothing, as Raft's leaders do: whoever follows the log is told by it where that stands. */
  appendNoOp(): Promise<void> {
    return this.#hand({ entries: [], undo: () => undefined, isNoOp: true });
  }

  #hand(work: Pick<Unit, 'entries' | 'undo' | 'isNoOp'>): Promise<void> {
    if (this.#broken) return Promise.reject(this.#broken);
    const { entries } = work;
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    return new Promise((resolve, reject) => {
      this.#waiting++;
      this.#waitingBytes += bytes;
      this.#gathering.push({ ...work, bytes, revision: this.#options.store.head, resolve, reject });
      this.#schedule();
    });
  }

  /** Resolves when everything that is applied now is shown; rejects when it was taken back. */
  settled(): Promise<void> {
    if (this.#waiting === 0) return Promise.resolve();
    return this.append([]);
  }

  /** Ends the writer: everything that waits is rejected. */
  stop(error: Error): void {
    this.#broken ??= error;
    this.#options.close();
    this.#fail(this.#gathering.splice(0), error);
  }

  /** Gathers what this turn of the event loop brings, then writes. */
  #schedule(): void {
    if (this.#publishing || this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    if (this.#publishing) return;
    this.#publishing = true;
    while (this.#gathering.length > 0) {
      const units = this.#takeUnits();
      try {
        await this.#write(units);
      } catch (error) {
        this.#takeBack(units, error as Error);
      }
    }
    this.#publishing = false;
  }

  #takeUnits(): Unit[] {
    let bytes = 0;
    let count = 0;
    for (const unit of this.#gathering) {
      if (count > 0 && bytes + unit.bytes > recordBytesMax) break;
      bytes += unit.bytes;
      count++;
    }
    return this.#gathering.splice(0, count);
  }

  async #write(units: Unit[]): Promise<void> {
    const { store, epoch, heading = [], publish, onLogged, now } = this.#options;
    const entries = units.flatMap((unit) => unit.entries);
    const lastRevision = units[units.length - 1]?.revision ?? store.head;
    if (entries.length > 0 || units.some(({ isNoOp }) => isNoOp)) {
      const record = encodeRecord({
        previousChain: this.#position.chain,
        epoch,
        firstRevision: this.#loggedRevision,
        lastRevision,
        timeMs: now(),
        entries: [...heading, ...entries],
      });
      const sequence = await publish(record, this.#position.sequence);
      this.#position = { sequence, chain: chainOf(record) };
      this.#loggedRevision = lastRevision;
      onLogged(sequence, lastRevision, record.length);
    }
    const flying = { units, sequence: this.#position.sequence };
    this.#shown = this.#shown.then(() => this.#show(flying, lastRevision));
  }

  async #show({ units, sequence }: FlyingRecord, revision: number): Promise<void> {
    await this.#options.replicated(sequence);
    const before = this.#options.store.visible;
    this.#options.store.show(revision);
    if (this.#options.store.visible > before) this.#options.onVisible(before, this.#options.store.visible);
    this.#forget(units);
    for (const unit of units) unit.resolve();
  }

  /** Takes back everything that is not in the log, the newest first: later units were judged on what fails now. */
  #takeBack(units: Unit[], error: Error): void {
    if (error instanceof FencedError && !this.#broken) {
      this.#broken = error;
      this.#options.onFenced(error);
    }
    const lost = [...units, ...this.#gathering.splice(0)];
    this.#options.store.rollback(this.#loggedRevision);
    for (const unit of [...lost].reverse()) unit.undo();
    this.#fail(lost, error);
    this.#options.logger.error({ err: error, requests: lost.length }, 'the log did not take a record');
  }

  #fail(units: Unit[], error: Error): void {
    this.#forget(units);
    for (const unit of units) unit.reject(error);
  }

  #forget(units: Unit[]): void {
    this.#waiting -= units.length;
    for (const { bytes } of units) this.#waitingBytes -= bytes;
  }
}

/** What an entry of a key that was changed alone takes beside the key, at most. */
export const touchedBytes = 48;

/** About how many bytes an entry takes in its record. */
export function entryBytes(entry: Entry): number {
  switch (entry.kind) {
    case 'revision':
      return entry.changes.reduce((sum, change) => sum + change.length + 8, 16);
    case 'version':
      return entry.version.length + 24;
    case 'conflict':
      return conflictBytes(entry.conflict);
    case 'judged':
      return entry.key.length + 32;
    case 'touched':
      return entry.key.length + touchedBytes;
    default:
      return 64;
  }
}
