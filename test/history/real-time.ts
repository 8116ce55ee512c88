import { bandOf } from './band.ts';

/** Something that was seen at a time: at its end a client knew of `revision`. */
export interface Sighting {
  endpoint: string;
  returnedMs: number;
  revision: number;
}

/** A call whose place in the order is known. */
export interface Placed {
  what: string;
  /** Empty when it is not known who answered: nobody did. */
  endpoint: string;
  invokedMs: number;
  revision: number;
  /** Whether it made the revision: then nobody may have known of it before. */
  wrote: boolean;
}

/**
 * The order of revisions is that of real time: a call that began after a revision was seen is not before it, and a write that
 * began after it is behind it. Within a band this holds for both nodes together; the bands that one node goes through only rise.
 */
export function checkRealTime(placed: readonly Placed[], sightings: readonly Sighting[]): string[] {
  const problems: string[] = [];
  const byReturn = [...sightings].sort((a, b) => a.returnedMs - b.returnedMs);
  const newestOfBand = new Map<number, number>();
  const bandOfEndpoint = new Map<string, number>();
  let at = 0;
  for (const call of [...placed].sort((a, b) => a.invokedMs - b.invokedMs)) {
    for (; (byReturn[at]?.returnedMs ?? Number.POSITIVE_INFINITY) < call.invokedMs; at++) {
      const { revision, endpoint } = byReturn[at] as Sighting;
      const band = bandOf(revision);
      newestOfBand.set(band, Math.max(newestOfBand.get(band) ?? 0, revision));
      bandOfEndpoint.set(endpoint, Math.max(bandOfEndpoint.get(endpoint) ?? 0, band));
    }
    const band = bandOf(call.revision);
    const newest = newestOfBand.get(band) ?? 0;
    if (call.wrote ? call.revision <= newest : call.revision < newest)
      problems.push(
        `${call.what} is at revision ${call.revision}, though ${newest} was seen before it began`,
      );
    const reached = bandOfEndpoint.get(call.endpoint) ?? 0;
    if (band < reached)
      problems.push(
        `${call.what} is at revision ${call.revision}, though ${call.endpoint} was in band ${reached} before it began`,
      );
  }
  return problems;
}

/** When each revision of a band was known to somebody, at the latest. */
export function firstSeen(sightings: readonly Sighting[]): (revision: number) => number {
  const byRevision = [...sightings].sort((a, b) => a.revision - b.revision);
  const earliest = new Array<number>(byRevision.length);
  let soFar = Number.POSITIVE_INFINITY;
  for (let i = byRevision.length - 1; i >= 0; i--) {
    const next = byRevision[i + 1];
    // Another band is another order.
    if (next && bandOf(next.revision) !== bandOf((byRevision[i] as Sighting).revision))
      soFar = Number.POSITIVE_INFINITY;
    soFar = Math.min(soFar, (byRevision[i] as Sighting).returnedMs);
    earliest[i] = soFar;
  }
  return (revision) => {
    const index = byRevision.findIndex((sighting) => sighting.revision >= revision);
    const found = byRevision[index];
    return found && bandOf(found.revision) === bandOf(revision)
      ? (earliest[index] as number)
      : Number.POSITIVE_INFINITY;
  };
}
