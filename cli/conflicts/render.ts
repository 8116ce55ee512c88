import type { ConflictView, SideView } from '../../shared/conflicts.ts';
import { age } from '../status/render.ts';
import { compareLines, readableLines } from './readable.ts';

/** One line for each conflict, oldest first. */
export function renderList(conflicts: readonly ConflictView[], hiddenRoutine: number, nowMs: number): string {
  const rows = conflicts.map((conflict) => [
    conflict.id,
    age(nowMs - Date.parse(conflict.found)),
    conflict.policy,
    `${keptOf(conflict).node}'s stays`,
    conflict.key,
  ]);
  const head = ['ID', 'AGE', 'POLICY', 'NOW', 'KEY'];
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const lines = [head, ...rows].map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const hidden = hiddenRoutine > 0 ? [`${hiddenRoutine} routine ones are hidden (--all shows them)`] : [];
  if (rows.length === 0) return `${['no conflicts', ...hidden].join('; ')}\n`;
  return `${[...lines, ...hidden].join('\n')}\n`;
}

/** One conflict with both sides, and how to end it. */
export function renderConflict(conflict: ConflictView): string {
  const { id, key, policy, found, routine, current_revision: revision } = conflict;
  const kept = keptOf(conflict);
  const other = conflict[conflict.winner === 'leader' ? 'follower' : 'leader'];
  const moved = revision !== kept.revision && conflict.winner === 'leader';
  return `${[
    `${key}`,
    `conflict ${id}, found ${found}, ${policy === 'manual' ? 'nobody has decided' : `decided by ${policy}`}${routine ? ', routine' : ''}`,
    '',
    sideLine('=', 'stays ', kept),
    sideLine('~', 'other ', other),
    ...(moved ? [`the key has changed since then: it is at revision ${revision} now`] : []),
    '',
    ...differences(conflict, kept, other),
    '',
    `twonode conflicts apply ${id} --revision ${revision}   write the other version`,
    `twonode conflicts drop ${id}   leave the key as it is`,
  ].join('\n')}\n`;
}

function keptOf(conflict: ConflictView): SideView {
  return conflict[conflict.winner];
}

function sideLine(sign: string, what: string, side: SideView): string {
  const content = side.deleted ? 'deleted' : `${side.bytes} bytes`;
  const revision = side.revision === 0 ? 'not known' : side.revision;
  return `${sign} ${what} ${side.node}: ${content}, revision ${revision}, written ${side.time ?? 'at a time that is not known'}`;
}

function differences({ secret }: ConflictView, kept: SideView, other: SideView): string[] {
  const isHidden = (side: SideView) => !side.deleted && side.value === undefined;
  if (secret && (isHidden(kept) || isHidden(other)))
    return ['its values are secret: --show-values shows them'];
  const linesOf = ({ value }: SideView) =>
    value === undefined ? [] : readableLines(Buffer.from(value, 'base64'));
  const lines = compareLines(linesOf(kept), linesOf(other));
  return lines.length > 0 ? lines : ['the readable parts of both are the same'];
}
