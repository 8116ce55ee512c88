import { type Verdict, warning } from '../verdict.ts';
import { judgeReadyz } from './api.ts';
import { type HttpReading, readHttp } from './http.ts';

/** What the peer says of its own API in its beats: `ok`, `failed`, …; null when it is not heard. */
export type PeerSaysApi = () => string | null;

/**
 * Judges the peer's API as seen over the link. At 30 % loss TCP stalls for many seconds while beats still pass: so a mere
 * timeout is no failure while the peer, in its beats, says that its API is well.
 */
export function judgePeerApi(reading: HttpReading, peer: string, peerSays: string | null): Verdict {
  const verdict = judgeReadyz(reading, `API of ${peer}`);
  const value = { ...verdict.value, peer_says: peerSays };
  if (!reading.answered && reading.timedOut && peerSays === 'ok') {
    return warning(`API of ${peer} does not answer over the link, but ${peer} says that it is well`, value);
  }
  return { ...verdict, value };
}

export async function probePeerApi(
  url: string,
  timeoutMs: number,
  peer: string,
  peerSays: PeerSaysApi,
): Promise<Verdict> {
  const reading = await readHttp(url, timeoutMs);
  return judgePeerApi(reading, peer, peerSays());
}
