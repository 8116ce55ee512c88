import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../shared/logger.ts';

/** How often it is said that a service is not up yet, in milliseconds. */
const sayEveryMs = 60_000;
const pollMs = 50;

/**
 * Waits until `http://127.0.0.1:<port>/healthz` answers 200, however long that takes: a service that ends is started again, and
 * what it waits for may come back. Says each minute that it waits.
 */
export async function waitUntilUp(name: string, port: number, logger: Logger): Promise<void> {
  const startedMs = performance.now();
  let saidMs = startedMs;
  while (!(await isHealthy(port))) {
    const nowMs = performance.now();
    if (nowMs - saidMs >= sayEveryMs) {
      saidMs = nowMs;
      const forSeconds = Math.round((nowMs - startedMs) / 1_000);
      logger.error({ child: name, forSeconds }, 'still not up, see its messages above');
    }
    await delay(pollMs);
  }
}

function isHealthy(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}
