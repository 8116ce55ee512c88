import type { Logger } from '../../../shared/logger.ts';
import type { ConflictPolicy } from '../log/record.ts';
import type { Store } from '../store/store.ts';
import type { Version } from '../store/version.ts';
import type { MergeEntry } from './protocol.ts';

/** With clocks further apart than this, in milliseconds, the newest change cannot be told. */
export const clockOffsetMaxMs = 1_000;

/** How a conflict is decided. */
export interface Decision {
  /** The policy that decided: not the configured one where that could not be used. */
  policy: ConflictPolicy;
  winner: 'leader' | 'follower';
  /** When the leader's version was written, in ms since the Unix epoch by the leader's clock; 0: not known. */
  leaderTimeMs: number;
}

/** Decides about a key, given what the leader holds of it now: undefined where it is deleted. */
export type Decide = (entry: MergeEntry, leader: Version | undefined) => Decision;

export interface ArbiterOptions {
  policy: ConflictPolicy;
  /** The follower's clock minus the leader's, in milliseconds; null: not measured. */
  clockOffsetMs: () => number | null;
  /** When a revision of the log was written, in ms since the Unix epoch; null: not known, the record is cleaned away. */
  timeOf: (revision: number) => Promise<number | null>;
  logger: Logger;
}

/** Decides between two versions of a key, by the configured policy (docs/conflicts.md). */
export class Arbiter {
  readonly #options: ArbiterOptions;
  #warned = false;

  constructor(options: ArbiterOptions) {
    this.#options = options;
  }

  /** Looks up when the leader's versions of these keys were written; what it returns decides at once. */
  async prepare(store: Store, entries: readonly MergeEntry[]): Promise<Decide> {
    const offsetMs = this.#usableOffset();
    const policy =
      this.#options.policy === 'newest-wins' && offsetMs === null ? 'leader-wins' : this.#options.policy;
    const times = await this.#timesOf(store, entries);
    return (entry, leader) => {
      const revision = (leader ?? store.latest(entry.key))?.modRevision ?? 0;
      const leaderTimeMs = times.get(revision) ?? 0;
      if (policy !== 'newest-wins' || offsetMs === null) return { policy, winner: 'leader', leaderTimeMs };
      // A time that is not known: changed just now, or so long ago that its record is cleaned away. The leader's stays.
      if (leaderTimeMs === 0) return { policy: 'leader-wins', winner: 'leader', leaderTimeMs };
      return { policy, winner: entry.timeMs - offsetMs > leaderTimeMs ? 'follower' : 'leader', leaderTimeMs };
    };
  }

  async #timesOf(store: Store, entries: readonly MergeEntry[]): Promise<Map<number, number>> {
    const changed = entries.flatMap(({ key, base }) => {
      const revision = store.latest(key)?.modRevision ?? 0;
      return revision === base ? [] : [revision];
    });
    const revisions = [...new Set(changed)];
    const times = await Promise.all(revisions.map((revision) => this.#options.timeOf(revision)));
    return new Map(revisions.map((revision, at) => [revision, times[at] ?? 0]));
  }

  /** The offset by which times are compared; null when the clocks are too far apart, or not compared. */
  #usableOffset(): number | null {
    const { policy, clockOffsetMs, logger } = this.#options;
    const offsetMs = clockOffsetMs();
    const usable = offsetMs !== null && Math.abs(offsetMs) <= clockOffsetMaxMs;
    if (policy === 'newest-wins' && !usable && !this.#warned) {
      logger.warn(
        { offsetMs },
        'newest-wins is refused while the clocks are not known to agree: the leader wins',
      );
    }
    this.#warned = !usable;
    return usable ? offsetMs : null;
  }
}
