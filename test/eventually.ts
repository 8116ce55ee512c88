import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 100;

/**
 * Asks again until the answer is as expected.
 * @returns that answer
 * @throws Error with the last answer when it never is, in milliseconds
 */
export async function eventually<T>(
  ask: () => Promise<T>,
  expected: (answer: T) => boolean,
  limitMs = 45_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (expected(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`still ${JSON.stringify(answer)} after ${limitMs} ms`);
    await delay(pollMs);
  }
}
