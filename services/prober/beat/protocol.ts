import type { LinkIdentity, LinkVerdict } from './link.ts';
import type { OwnWord } from './word.ts';

/** What the beat's thread is started with. */
export interface BeatThreadData {
  identity: LinkIdentity;
  /** Local address and port that are listened on. */
  bind: { address: string; port: number };
  /** Where the beats go. */
  peer: { address: string; port: number };
  /** The peer was up when this prober stopped, a moment ago within the same boot. */
  resumed: boolean;
}

/** Main thread to beat thread. */
export type ToBeatThread =
  | { kind: 'state'; word: Pick<OwnWord, 'state' | 'stateReason' | 'stateSinceMs' | 'epoch'>; ttlMs: number }
  | { kind: 'api'; status: string | null }
  /** Say goodbye with a few quick beats, and end. Null: this node leaves for long. */
  | { kind: 'farewell'; restartingMs: number | null };

/** Beat thread to main thread. */
export type FromBeatThread =
  | { kind: 'verdict'; verdict: LinkVerdict }
  | { kind: 'socket'; fault: string | null };
