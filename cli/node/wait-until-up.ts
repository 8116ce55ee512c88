import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../shared/lifecycle.ts';

const limitMs = 60_000;
const pollMs = 50;

/**
 * Waits until `http://127.0.0.1:<port>/healthz` answers 200, for at most a minute.
 * @param ended the name of a service that ended meanwhile
 * @throws UserError
 */
export async function waitUntilUp(
  name: string,
  port: number,
  ended: () => string | undefined,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (Date.now() < deadline) {
    if (await isHealthy(port)) return;
    const gone = ended();
    if (gone) throw new UserError(`the ${gone} ended before it was up, see its message above`);
    await delay(pollMs);
  }
  throw new UserError(`the ${name} is not up after ${limitMs / 1_000} s`);
}

function isHealthy(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2_000) }).then(
    (response) => response.ok,
    () => false,
  );
}
