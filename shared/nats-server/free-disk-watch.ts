import { statfs } from 'node:fs/promises';
import type { Logger } from '../logger.ts';

/**
 * A nats-server that met a full disk refuses every write from then on, also when there is space again: it remembers the write
 * error of a stream, or has switched JetStream off, until it is restarted. This watches for that, and restarts it once there is
 * space.
 */

const intervalMs = 2_000;
const askLimitMs = 2_000;
/** Between two restarts: what a restart does not cure, a second one at once will not either. */
const pauseMs = 30_000;

export interface FreeDiskWatchOptions {
  /** HTTP monitoring of the nats-server, on 127.0.0.1. */
  monitoringPort: number;
  /** Folder of its store. */
  folder: string;
  /** Less free space than this, in percent, is a full disk. */
  minFreePercent: number;
  restart: () => Promise<void>;
  logger: Logger;
}

/** @returns a function that ends it */
export function watchFreeDisk(options: FreeDiskWatchOptions): () => void {
  const { monitoringPort, folder, minFreePercent, restart, logger } = options;
  let busy = false;
  let lastMs = Number.NEGATIVE_INFINITY;
  const look = async () => {
    if (performance.now() - lastMs < pauseMs) return;
    const fault = await lastingFault(monitoringPort);
    if (fault === null || (await freePercent(folder)) < minFreePercent) return;
    logger.warn({ fault }, 'there is space again: nats-server is restarted');
    lastMs = performance.now();
    await restart();
  };
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    look()
      .catch((error: unknown) => logger.error({ err: error }, 'nats-server could not be looked after'))
      .finally(() => {
        busy = false;
      });
  }, intervalMs);
  return () => clearInterval(timer);
}

/** What `/healthz` tells that only a restart cures; null when it tells nothing of the kind, or does not answer. */
async function lastingFault(monitoringPort: number): Promise<string | null> {
  const url = `http://127.0.0.1:${monitoringPort}/healthz`;
  const body = await fetch(url, { signal: AbortSignal.timeout(askLimitMs) }).then(
    (response) => response.text(),
    () => '',
  );
  return /(write error: |JetStream not enabled)[^"]*/.exec(body)?.[0] ?? null;
}

async function freePercent(folder: string): Promise<number> {
  const { bavail, blocks } = await statfs(folder);
  return blocks === 0 ? 100 : (bavail / blocks) * 100;
}
