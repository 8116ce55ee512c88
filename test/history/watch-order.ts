import { isDeepStrictEqual } from 'node:util';
import { type Band, bandOf, groupByRevision, show } from './band.ts';
import type { WatchEvent, WatchRecord } from './history.ts';
import { inRange } from './model.ts';

/** What one watch was told is exactly what happened in its range, in order, from its first revision to its last. */
export function checkWatch(watch: WatchRecord, bands: ReadonlyMap<number, Band>): string[] {
  const name = `the watch of ${watch.key}..${watch.end} from revision ${watch.startRevision} at ${watch.endpoint}`;
  const problems: string[] = [];
  let next = watch.startRevision;
  for (const { revision, events } of watch.answers) {
    const groups = groupByRevision(events);
    for (const group of groups) {
      if (group.revision < next)
        problems.push(`${name} was told of ${group.revision} again, or out of order`);
      if (group.revision > revision)
        problems.push(`${name} was told of ${group.revision} under a header with ${revision}`);
    }
    // A progress notice, too, says that everything up to it was told.
    const told = groups[groups.length - 1]?.revision ?? revision;
    const problem = compare(name, watch, next, told, events, bands);
    if (problem) problems.push(problem);
    next = Math.max(next, told + 1);
  }
  return problems;
}

function compare(
  name: string,
  watch: WatchRecord,
  from: number,
  to: number,
  events: WatchEvent[],
  bands: ReadonlyMap<number, Band>,
): string | null {
  const band = bands.get(bandOf(to));
  if (!band?.knows(to) || bandOf(from) !== band.number) return null;
  const start = Math.max(from, band.first + 1);
  const expected: WatchEvent[] = [];
  for (let revision = start; revision <= to; revision++) {
    const before = band.at(revision - 1);
    for (const keyValue of band.changes(revision)) {
      if (!inRange(keyValue.key, watch)) continue;
      expected.push({ keyValue, previous: before.get(keyValue.key) ?? null });
    }
  }
  const told = events.filter(({ keyValue }) => keyValue.modRevision >= start);
  if (isDeepStrictEqual(told, expected)) return null;
  const text = (list: WatchEvent[]) => `[${show(list.map(({ keyValue }) => keyValue))}]`;
  const difference =
    text(told) === text(expected) ? 'other previous values' : `${text(told)}, not ${text(expected)}`;
  return `${name} was told for revisions ${start} to ${to}: ${difference}`;
}
