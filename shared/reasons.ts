/** Why a node is restricted. A closed list: each has one sentence for people, see {@link reasonText}. */
export const reasons = [
  'starting',
  'unverified-log',
  'never-joined',
  'prober-silent',
  'local-failure',
  'peer-down',
  'peer-impaired',
  'peer-api-failed',
  'isolated',
  'further-failure',
  'link-stalled',
  'reconverging',
  'storage-full',
] as const;
export type Reason = (typeof reasons)[number];

/** What a sentence needs to know. */
export interface ReasonContext {
  /** The peer's name. */
  peer: string;
  /** When the reason began, in milliseconds since the Unix epoch. */
  sinceMs: number;
  /** What failed, in the prober's words (`eth0: carrier lost`); empty when it is not a failed check. */
  failure: string;
}

/** Time of day in UTC to the second, as the sentences show it: `12:03:11Z`. */
export function clockTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(11, 19)}Z`;
}

/** The reason as half a sentence, with names and the time it began: `node-b unreachable since 12:03:11Z`. */
export function reasonText(reason: Reason, { peer, sinceMs, failure }: ReasonContext): string {
  const since = `since ${clockTime(sinceMs)}`;
  switch (reason) {
    case 'starting':
      return `starting ${since}`;
    case 'unverified-log':
      return `its log is not yet compared with ${peer} ${since}`;
    case 'never-joined':
      return `it has never joined ${peer} ${since}`;
    case 'prober-silent':
      return `its prober is silent ${since}`;
    case 'local-failure':
      return `${failure || 'a local check failed'} ${since}`;
    case 'peer-down':
      return `${peer} unreachable ${since}`;
    case 'peer-impaired':
      return `${peer} is Impaired ${since}`;
    case 'peer-api-failed':
      return `the API of ${peer} does not answer ${since}`;
    case 'isolated':
      return `${peer} and everything north-south unreachable ${since}`;
    case 'further-failure':
      return `a further failure while ${peer} is away: ${failure || 'north-south unreachable'} ${since}`;
    case 'link-stalled':
      return `the link to ${peer} is stalled ${since}`;
    case 'reconverging':
      return `merging with ${peer} what was written alone ${since}`;
    case 'storage-full':
      return `${failure || 'its datastore is full'} ${since}`;
  }
}
