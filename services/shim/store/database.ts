import type { Entry, LogRecord } from '../log/record.ts';
import { type Alarm, Alarms } from './alarms.ts';
import { Conflicts } from './conflicts.ts';
import { readKeyValue } from './key-value.ts';
import { Store } from './store.ts';

/** Versions that are freed with each record that is applied, beside as many as it has entries. */
const sweepStep = 100;

/**
 * Epochs, and merged overlays, that are known: the newest ones. A log whose end is cleaned away is told by its newest epoch to be the same;
 * with an older one than these it is a foreign one, and is copied anew. Of the overlays only the newest can be there still.
 */
export const epochsMax = 1_024;
export const mergedMax = 1_024;

/** A leader's term of writing, as the log has it. */
export interface Epoch {
  number: number;
  /** Random, so that two leaders which took the same number are told apart. */
  id: string;
  /** The log's sequence at which it began. */
  firstSequence: number;
}

/** Who writes the log, as the log itself says. */
export interface Leadership {
  /** 1 for the node that began the log; one more with each exchange of the roles. */
  generation: number;
  node: string;
}

/** What a merge has made of a key. */
export interface Judged {
  /** The overlay's revision up to which it has dealt with the key. */
  position: number;
  /** The log's revision at which the follower's version stands; 0: as a deletion, -1: not at all. */
  revision: number;
}

/**
 * Everything that the log says, folded: the keys, the leases, the epochs, how far overlays are merged, and the conflicts.
 * It holds no clock: when a lease runs out is the business of who owns the log.
 */
export class Database {
  readonly store = new Store();
  /** TTL in seconds of each lease that was granted and not revoked. */
  readonly leases = new Map<bigint, number>();
  readonly alarms = new Alarms();
  /** The newest ones, in order of their numbers. */
  readonly epochs: Epoch[] = [];
  /** The epoch with which the log began; undefined while it has none. */
  founding: Epoch | undefined;
  /** Null until a leader has written its first record. */
  leadership: Leadership | null = null;
  /** For each of the newest overlays, the revision of its own up to which it is merged. */
  readonly merged = new Map<string, number>();
  readonly conflicts = new Conflicts();
  /** The keys of the newest overlay that its merge has dealt with: a merge that was broken off goes on behind them. */
  readonly judged = new Map<string, Judged>();
  #mergingOverlay = '';
  #below: { leases: readonly bigint[]; alarms: readonly Alarm[] } | null = null;
  /** Records before this sequence hold nothing that is needed. */
  cleanedTo = 1;

  /** The overlay whose merge was begun and not ended: what it made of its keys is needed still. */
  get mergingOverlay(): string | null {
    return this.#mergingOverlay === '' || this.merged.has(this.#mergingOverlay) ? null : this.#mergingOverlay;
  }

  get epoch(): Epoch | undefined {
    return this.epochs[this.epochs.length - 1];
  }

  /**
   * Applies a record of the log: its changes are at the head, not yet shown. What is compacted by now is freed on the way.
   * @param sequence where it stands in the log; 0 where that makes no difference
   */
  apply(record: LogRecord, sequence: number): void {
    for (const entry of record.entries) this.applyEntry(entry, sequence);
    this.store.advance(record.lastRevision);
    this.store.sweep(record.entries.length + sweepStep);
  }

  /** From here on it is an overlay's log that is applied, on top of what is here by now. Only the first call counts. */
  standOnThis(): void {
    this.store.standOnThis();
    this.#below ??= { leases: [...this.leases.keys()], alarms: this.alarms.raised() };
  }

  /** Leases and alarms as entries of the log; of what the log below holds and is gone by now they say so. */
  leaseAndAlarmEntries(): Entry[] {
    const { leases = [], alarms = [] } = this.#below ?? {};
    const raised = this.alarms.raised();
    return [
      ...leases.filter((id) => !this.leases.has(id)).map((id): Entry => ({ kind: 'lease-revoke', id })),
      ...[...this.leases].map(([id, ttlSeconds]): Entry => ({ kind: 'lease-grant', id, ttlSeconds })),
      ...alarms
        .filter(({ memberId }) => !raised.some((alarm) => alarm.memberId === memberId))
        .map((alarm): Entry => ({ kind: 'alarm', ...alarm, raised: false })),
      ...raised.map((alarm): Entry => ({ kind: 'alarm', ...alarm, raised: true })),
    ];
  }

  /** An older one may be stated again behind a newer one, whose own record still stands. */
  addEpoch(epoch: Epoch): void {
    if (this.epochs.some(({ id }) => id === epoch.id)) return;
    if (!this.founding || epoch.number < this.founding.number) this.founding = epoch;
    const after = this.epochs.findIndex(({ number }) => number > epoch.number);
    this.epochs.splice(after === -1 ? this.epochs.length : after, 0, epoch);
    if (this.epochs.length > epochsMax) this.epochs.shift();
  }

  /** The newest epoch did not come into the log. */
  undoEpoch(): void {
    if (this.epochs.pop() === this.founding) this.founding = undefined;
  }

  /** The epochs as entries of the log: read again they come to the same. */
  *epochEntries(): Generator<Entry> {
    const { founding, epochs } = this;
    if (founding && epochs[0]?.id !== founding.id) yield { kind: 'epoch', ...founding };
    for (const epoch of epochs) yield { kind: 'epoch', ...epoch };
  }

  /** An overlay is merged up to this revision of its own. */
  addMerged(overlay: string, position: number): void {
    this.merged.set(overlay, position);
    if (this.merged.size > mergedMax) this.merged.delete(this.merged.keys().next().value as string);
  }

  applyEntry(entry: Entry, sequence = 0): void {
    switch (entry.kind) {
      case 'revision':
        for (const change of entry.changes) {
          const kv = readKeyValue(change as Buffer);
          this.store.insert(kv.key, kv, kv.value);
        }
        return;
      case 'lease-grant':
        this.leases.set(entry.id, entry.ttlSeconds);
        return;
      case 'lease-revoke':
        this.leases.delete(entry.id);
        return;
      case 'compact':
        this.store.compact(entry.revision);
        return;
      case 'epoch':
        this.addEpoch({ number: entry.number, id: entry.id, firstSequence: entry.firstSequence });
        return;
      case 'leadership':
        if (entry.generation > (this.leadership?.generation ?? 0)) {
          this.leadership = { generation: entry.generation, node: entry.node };
        }
        return;
      case 'jump':
        this.store.jump(entry.revision);
        return;
      case 'overlay':
        this.beginMerge(entry.id);
        return;
      case 'merged':
        this.addMerged(entry.overlay, entry.position);
        return;
      case 'judged':
        this.judged.set(entry.key, { position: entry.position, revision: entry.revision });
        return;
      case 'conflict':
        this.conflicts.add(entry.conflict);
        return;
      case 'conflict-end':
        this.conflicts.end(entry.id, entry.how);
        return;
      case 'touched':
        if (entry.ended > 0) this.store.endBelow(entry.key, entry.ended);
        return;
      case 'version': {
        const kv = readKeyValue(entry.version as Buffer);
        this.store.restate(kv.key, kv, kv.value, entry.end, sequence);
        return;
      }
      case 'cleaned':
        this.cleanedTo = Math.max(this.cleanedTo, entry.sequence);
        return;
      case 'alarm':
        if (entry.raised) this.alarms.raise(entry);
        else this.alarms.disarm(entry);
    }
  }

  /** Forgets what the merge of another overlay made of its keys. */
  beginMerge(overlay: string): void {
    if (overlay !== this.#mergingOverlay) this.judged.clear();
    this.#mergingOverlay = overlay;
  }
}
