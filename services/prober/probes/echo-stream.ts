import type { ChildProcess } from 'node:child_process';
import { spawnTethered } from '../../../shared/process/spawn-tethered.ts';

/** Added to the interval before an echo is overdue, in milliseconds: round trip, and what the scheduler takes. */
const slackMs = 200;
/** `ping` lets no one but root send more often. */
const shortestIntervalMs = 200;
/** Time from the end of one `ping` to the start of the next, in milliseconds. */
const respawnMs = 1_000;
/** Each `ping` ends by itself after this many seconds, so that none outlives a prober for long, whatever happens. */
const lifeSeconds = 600;
/** A stream that missed this many echoes though others are answered holds on to an old route or address. */
const silentIntervalsMax = 10;

/** The last answer: when it came (monotonic clock), and its round trip, in milliseconds. */
interface Answer {
  atMs: number;
  rttMs: number;
}

/**
 * One `ping` that stays and sends an echo each interval. Starting a program takes twenty times the CPU of an echo, so in
 * quiet the stream alone is looked at. It proves that the target answers, never that it does not: what is overdue is asked
 * anew, with several echoes ({@link readIcmp}).
 */
export class EchoStream {
  readonly #address: string;
  readonly #intervalMs: number;
  #child: ChildProcess | null = null;
  #respawn: NodeJS.Timeout | null = null;
  #overdue: NodeJS.Timeout | null = null;
  #last: Answer | null = null;
  #spawnedMs = 0;
  #running = false;

  constructor(address: string, intervalMs: number) {
    this.#address = address;
    this.#intervalMs = Math.max(intervalMs, shortestIntervalMs);
  }

  get address(): string {
    return this.#address;
  }

  /** @param onOverdue called when an answer is missing, once for each that came before it */
  start(onOverdue: () => void): void {
    this.#running = true;
    this.#overdue = setTimeout(onOverdue, this.#intervalMs + slackMs);
    this.#spawn();
  }

  stop(): void {
    this.#running = false;
    if (this.#overdue) clearTimeout(this.#overdue);
    if (this.#respawn) clearTimeout(this.#respawn);
    this.#child?.kill();
  }

  /** Round trip of an answer that is not overdue, in milliseconds; null when there is none. */
  recentRttMs(nowMs: number): number | null {
    return this.#last && nowMs - this.#last.atMs <= this.#intervalMs + slackMs ? this.#last.rttMs : null;
  }

  /** Tells that an echo outside this stream was answered. */
  answeredElsewhere(nowMs: number): void {
    const silentSinceMs = Math.max(this.#last?.atMs ?? 0, this.#spawnedMs);
    if (nowMs - silentSinceMs < silentIntervalsMax * this.#intervalMs) return;
    // Its end starts the next one.
    this.#child?.kill();
  }

  #spawn(): void {
    const seconds = (this.#intervalMs / 1000).toFixed(3);
    const args = ['-n', '-i', seconds, '-w', String(lifeSeconds), this.#address];
    const child = spawnTethered('ping', args, { deathSignal: 'KILL', stdio: ['ignore', 'pipe', 'ignore'] });
    this.#child = child;
    this.#spawnedMs = performance.now();
    // A line of `ping` comes as a whole: it writes them one by one.
    child.stdout?.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')));
    // Without the program there is an `error` and no `exit`.
    child.on('error', () => this.#again(child));
    child.on('exit', () => this.#again(child));
  }

  #take(printed: string): void {
    const rttMs = echoTime(printed);
    if (rttMs === null) return;
    this.#last = { atMs: performance.now(), rttMs };
    this.#overdue?.refresh();
  }

  #again(ended: ChildProcess): void {
    if (!this.#running || this.#child !== ended) return;
    this.#child = null;
    this.#respawn = setTimeout(() => this.#spawn(), respawnMs);
  }
}

/** The round trip that `ping` prints for an answer, in milliseconds; null for any other line. */
export function echoTime(printed: string): number | null {
  const match = /icmp_seq=\d+ .*time[=<](\d+(?:\.\d+)?) ms/.exec(printed);
  return match ? Number(match[1]) : null;
}
