import { createHash } from 'node:crypto';
import type { Logger } from '../../shared/logger.ts';
import type { Scheduler } from './clock/scheduler.ts';

/** What happened, in order: for people who look at a failed seed, and to compare two runs of one seed. */
export class Trace {
  readonly #scheduler: Scheduler;
  readonly lines: string[] = [];

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  say(who: string, text: string): void {
    const seconds = (this.#scheduler.nowMs / 1_000).toFixed(4).padStart(9);
    this.lines.push(`${seconds} ${who.padEnd(12)} ${text}`);
  }

  /** Equal digests are equal runs. */
  get digest(): string {
    return createHash('sha256').update(this.lines.join('\n')).digest('hex');
  }

  /** A logger of the product whose lines go into the trace. */
  logger(who: string): Logger {
    const say = (level: string) => (first: unknown, message?: string) =>
      this.say(who, `${level} ${lineOf(first, message)}`);
    const nothing = () => undefined;
    const logger = {
      level: 'info',
      trace: nothing,
      debug: nothing,
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
      fatal: say('fatal'),
      child: () => logger,
    };
    return logger as unknown as Logger;
  }
}

function lineOf(first: unknown, message = ''): string {
  if (typeof first === 'string') return first;
  const fields = Object.entries(first as Record<string, unknown>).map(([name, value]) => {
    if (value instanceof Error) return `${name}=${value.message}`;
    return `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`;
  });
  return `${message} ${fields.join(' ')}`;
}
