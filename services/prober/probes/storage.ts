import { mkdir, open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { failed, faultOf, ok, type Verdict, warning } from '../verdict.ts';

export interface StorageReading {
  folder: string;
  blocks: { total: number; available: number };
  /** Total is 0 on file systems that do not count inodes (btrfs). */
  inodes: { total: number; available: number };
  blockBytes: number;
  /** Milliseconds of one write with fsync; null when it failed or took longer than the limit. */
  writeMs: number | null;
  /** Why the write failed, such as EROFS or ENOSPC; `timeout` when it took too long; empty when it did not fail. */
  writeFault: string;
}

export interface StorageLimits {
  warningFreePercent: number;
  failedFreePercent: number;
  /** Milliseconds of a small write with fsync. */
  warningWriteTime: number;
}

/** Looks at the file system of the NATS store. */
export class StorageProbe {
  readonly #folder: string;
  readonly #writeTimeoutMs: number;
  #write: Promise<WriteOutcome> | null = null;

  constructor(folder: string, writeTimeoutMs: number) {
    this.#folder = folder;
    this.#writeTimeoutMs = writeTimeoutMs;
  }

  /**
   * Reads the free space, and how long a small write with fsync takes. The folder is made when it is missing: the prober may
   * start before nats-server. A write that hangs is waited for, and none is begun beside it: each holds one of the few
   * threads of the pool, which other probes need.
   */
  async read(): Promise<StorageReading> {
    this.#write ??= timeWrite(join(this.#folder, '.twonode-probe'), this.#folder).finally(() => {
      this.#write = null;
    });
    const write = await withLimit(this.#write, this.#writeTimeoutMs);
    const stats = await statfs(this.#folder);
    return {
      folder: this.#folder,
      blocks: { total: stats.blocks, available: stats.bavail },
      inodes: { total: stats.files, available: stats.ffree },
      blockBytes: stats.bsize,
      ...write,
    };
  }
}

type WriteOutcome = Pick<StorageReading, 'writeMs' | 'writeFault'>;

async function timeWrite(file: string, folder: string): Promise<WriteOutcome> {
  const started = performance.now();
  try {
    await mkdir(folder, { recursive: true });
    const handle = await open(file, 'w', 0o600);
    try {
      await handle.write('twonode probes whether this disk can be written\n');
      await handle.sync();
    } finally {
      await handle.close();
    }
    return { writeMs: performance.now() - started, writeFault: '' };
  } catch (error) {
    return { writeMs: null, writeFault: faultOf(error) };
  }
}

function withLimit(write: Promise<WriteOutcome>, limitMs: number): Promise<WriteOutcome> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ writeMs: null, writeFault: 'timeout' }), limitMs);
    void write.then((outcome) => {
      clearTimeout(timer);
      resolve(outcome);
    });
  });
}

/** Judges the store's file system: it can be written, and has space and inodes. */
export function judgeStorage(reading: StorageReading, limits: StorageLimits): Verdict {
  const { folder } = reading;
  const space = freePercent(reading.blocks);
  const inodes = freePercent(reading.inodes);
  const value = {
    folder,
    free_bytes: reading.blocks.available * reading.blockBytes,
    free_percent: space,
    free_inodes_percent: inodes,
    write_ms: reading.writeMs === null ? null : Math.round(reading.writeMs * 100) / 100,
  };
  if (reading.writeFault !== '') return failed(writeFaultText(folder, reading.writeFault), value);
  for (const [what, percent] of [
    ['space', space],
    ['inodes', inodes],
  ] as const) {
    if (percent < limits.failedFreePercent) return failed(`${folder}: ${percent} % ${what} free`, value);
  }
  for (const [what, percent] of [
    ['space', space],
    ['inodes', inodes],
  ] as const) {
    if (percent < limits.warningFreePercent) return warning(`${folder}: ${percent} % ${what} free`, value);
  }
  if (reading.writeMs !== null && reading.writeMs > limits.warningWriteTime) {
    return warning(`${folder}: a small write takes longer than ${limits.warningWriteTime} ms`, value);
  }
  return ok(value);
}

/** Whole percents, rounded down, so that the reason does not change with every write. */
function freePercent({ total, available }: { total: number; available: number }): number {
  return total === 0 ? 100 : Math.floor((available / total) * 100);
}

function writeFaultText(folder: string, fault: string): string {
  switch (fault) {
    case 'EROFS':
      return `${folder}: file system is read-only`;
    case 'ENOSPC':
      return `${folder}: no space left`;
    case 'timeout':
      return `${folder}: a small write does not come back`;
    default:
      return `${folder}: cannot be written (${fault})`;
  }
}
