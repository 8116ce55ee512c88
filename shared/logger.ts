import { pino } from 'pino';

export type Logger = import('pino').Logger;

/** A logger of JSON lines on stderr: `time`, `level`, `service`, `node`, `msg` and what the caller adds. */
export function createLogger(service: string, level: string, bindings: Record<string, unknown> = {}): Logger {
  return pino(
    {
      level,
      base: { service, ...bindings },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
