import type { Logger } from './logger.ts';

/** An error whose message is all that a person needs: printed without a stack trace, exit status 1. */
export class UserError extends Error {
  override name = 'UserError';
}

/**
 * Runs `stop` once, at SIGTERM or SIGINT, and ends the process when it is done, at the latest after `limitMs`. A failure
 * that no one caught is logged and ends the process: its supervisor starts it again, and its state is on disk.
 */
export function onShutdown(logger: Logger, limitMs: number, stop: () => Promise<void>): void {
  let stopping = false;
  const shutdown = (signal: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), limitMs).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  // Not once: Ctrl-C below npm comes twice, from the terminal and from npm.
  process.on('SIGTERM', () => shutdown('SIGTERM'));
  process.on('SIGINT', () => shutdown('SIGINT'));
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      logger.fatal({ err: error }, event);
      process.exit(1);
    });
  }
}
