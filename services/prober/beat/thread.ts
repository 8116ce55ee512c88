import { Worker } from 'node:worker_threads';
import type { StateMessage } from '../../../shared/messages.ts';
import type { LinkVerdict } from './link.ts';
import type { BeatThreadData, FromBeatThread, ToBeatThread } from './protocol.ts';

export interface BeatThreadEvents {
  onVerdict: (verdict: LinkVerdict) => void;
  /** The beat port cannot be used (one line that says why), or can again (null). */
  onSocket: (fault: string | null) => void;
  /** The thread has ended by itself, which it never should. */
  onDeath: (error: Error) => void;
}

/** The main thread's handle on the thread that beats. */
export interface BeatThread {
  /** The own shim's newest word, which travels in the beats until its `ttl_ms` is over. */
  tellState(state: StateMessage): void;
  /** The newest status of the own `local.api`. */
  tellApi(status: string): void;
  /** Tells the peer that this node restarts and how long that may take (null: it leaves for long), and ends the thread. */
  farewell(restartingMs: number | null): Promise<void>;
}

/** Starts the thread that beats. */
export function startBeatThread(data: BeatThreadData, events: BeatThreadEvents): BeatThread {
  // The compiled file: a worker is loaded by its URL, which the compiler does not rewrite.
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: data,
    // Flags of the main thread such as --input-type are not meant for it.
    execArgv: [],
  });
  const tell = (message: ToBeatThread) => worker.postMessage(message);
  let ending = false;
  worker.on('message', (message: FromBeatThread) => {
    if (message.kind === 'verdict') events.onVerdict(message.verdict);
    if (message.kind === 'socket') events.onSocket(message.fault);
  });
  worker.on('error', events.onDeath);
  worker.on('exit', (code) => {
    if (!ending) events.onDeath(new Error(`the beat thread ended (${code})`));
  });
  return {
    tellState: ({ state, reason, since, epoch, ttl_ms }) => {
      const word = { state, stateReason: reason, stateSinceMs: Date.parse(since), epoch };
      tell({ kind: 'state', word, ttlMs: ttl_ms });
    },
    tellApi: (status) => tell({ kind: 'api', status }),
    farewell: async (restartingMs) => {
      ending = true;
      const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      tell({ kind: 'farewell', restartingMs });
      await ended;
    },
  };
}
