import { readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { writeDurably, writeDurablyMeanwhile } from '../../shared/durable-file.ts';
import type { LogPosition } from './log/group-commit.ts';

const pointSchema = z.object({
  v: z.literal(1),
  boot_id: z.string(),
  sequence: z.number().int().nonnegative(),
  chain: z.number().int().nonnegative(),
  /** The shim ended here on purpose: it acknowledged nothing beyond, and had told no revisions but the log's. */
  stopped: z.boolean().default(false),
  /** First revision of the newest band in which this node's log gave revisions. */
  band: z.number().int().nonnegative().default(0),
});

/**
 * The last point up to which this node's log is known to be the cluster's. A shim that starts again within one boot of the
 * machine, and finds this point unchanged in its log, need not wait to compare with its peer. Saved at a stop on purpose it also
 * tells the next boot that the disk has lost nothing.
 */
export class VerifiedPoint {
  readonly #file: string;
  readonly #bootId: string;
  #saved: LogPosition | null = null;
  #band: number;

  constructor(file: string, bootId: string) {
    this.#file = file;
    this.#bootId = bootId;
    this.#band = this.#read()?.band ?? 0;
  }

  /** First revision of the newest band in which this node's log gave revisions, in whichever boot; 0 when that is not known. */
  get band(): number {
    return this.#band;
  }

  /**
   * To be called before the log gives the first revision of another band, with that revision: where the log loses the record, it is known
   * from here that the band is used. A disk that does not take it leaves that to the peer, which knows it too.
   */
  beginBand(first: number): void {
    this.#band = first;
    const point = this.#read();
    if (point) this.#try(() => writeDurably(this.#file, JSON.stringify({ ...point, band: first })));
  }

  /** The point that was saved in this boot; null when there is none, or when the file cannot be used. */
  load(): LogPosition | null {
    const point = this.#read();
    if (point?.boot_id !== this.#bootId) return null;
    this.#saved = { sequence: point.sequence, chain: point.chain };
    return this.#saved;
  }

  /** Where the shim stopped on purpose, in whichever boot; null when it has written since, or did not stop so. */
  stopped(): LogPosition | null {
    const point = this.#read();
    return point?.stopped ? { sequence: point.sequence, chain: point.chain } : null;
  }

  /** Sequence of the point that was saved last, in whichever boot: this node's log had it once. 0 when there is none. */
  reached(): number {
    return this.#read()?.sequence ?? 0;
  }

  #read() {
    try {
      return pointSchema.parse(JSON.parse(readFileSync(this.#file, 'utf8')));
    } catch {
      // Without the point the node compares with its peer: slower, never wrong.
      return null;
    }
  }

  /**
   * Saves a point, on disk when it returns.
   * @throws Error of the file system: the older point stays
   */
  save(position: LogPosition): void {
    if (this.#saved?.sequence === position.sequence) return;
    writeDurably(this.#file, this.#textOf(position));
    this.#saved = { ...position };
  }

  /** The same without standing still meanwhile. Two calls must not overlap, and {@link save} must not come in between. */
  async saveMeanwhile(position: LogPosition): Promise<void> {
    if (this.#saved?.sequence === position.sequence) return;
    await writeDurablyMeanwhile(this.#file, this.#textOf(position));
    this.#saved = { ...position };
  }

  #textOf({ sequence, chain }: LogPosition, more: { boot_id?: string; stopped?: true } = {}): string {
    return JSON.stringify({ v: 1, boot_id: this.#bootId, sequence, chain, band: this.#band, ...more });
  }

  /** Saves the point at which the shim stops on purpose, if the disk takes it. */
  keepStopped(position: LogPosition): void {
    // Else the next boot cannot know that nothing is lost: clients list anew.
    this.#try(() => writeDurably(this.#file, this.#textOf(position, { stopped: true })));
  }

  /**
   * To be called before the first write: from here on {@link stopped} tells nothing any more. On disk when it returns.
   * @throws Error of the file system: then nothing may be written
   */
  goOn(): void {
    const point = this.#read();
    if (!point?.stopped) return;
    // It is verified in the boot of its own only, as before.
    writeDurably(this.#file, this.#textOf(point, { boot_id: point.boot_id }));
  }

  /**
   * Saves a point if the disk takes it, and says whether. With an older one a restart may have to compare with the peer: slower,
   * never wrong.
   */
  keep(position: LogPosition): boolean {
    return this.#try(() => this.save(position));
  }

  /** Whether the disk took it; the prober tells of a full one. */
  #try(write: () => void): boolean {
    try {
      write();
      return true;
    } catch {
      return false;
    }
  }

  /** The next start is to compare with the peer. That needs no room on the disk. */
  forget(): void {
    this.#saved = null;
    rmSync(this.#file, { force: true });
  }
}
