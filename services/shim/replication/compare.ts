/** One of two logs that are compared. */
export interface LogView {
  /** The first and the last record that it holds; `last` is 0 when it is empty. */
  first: number;
  last: number;
  /** Its newest epochs, in their order. */
  epochs: readonly { id: string; firstSequence: number }[];
  /** The chain of a record; null when the log does not hold it. */
  chainAt(sequence: number): Promise<number | null>;
}

/**
 * The last record up to which two logs are the same. Equal chains at one sequence mean equal logs up to there, so it is
 * found by bisection: about 20 questions for a million records.
 * @returns 0 when they have nothing in common, as far as they still tell
 */
export async function commonSequence(own: LogView, peer: LogView): Promise<number> {
  const end = Math.min(own.last, peer.last);
  const start = Math.max(own.first, peer.first);
  if (end === 0) return 0;
  // One of them has cleaned away the other's end: it knows that by its epoch. One epoch has one record at a sequence.
  if (end < start) {
    const [ended, longer] = own.last < peer.last ? [own, peer] : [peer, own];
    return holdsEpoch(longer, ended, end) ? end : 0;
  }
  const isCommon = async (sequence: number) => {
    const chain = await own.chainAt(sequence);
    return chain !== null && chain === (await peer.chainAt(sequence));
  };
  if (await isCommon(end)) return end;
  let common = start - 1;
  let differs = end;
  while (differs - common > 1) {
    const middle = (common + differs) >>> 1;
    if (await isCommon(middle)) common = middle;
    else differs = middle;
  }
  return common < start ? 0 : common;
}

/** Whether the epoch in which one log ends is one of the other's, and goes up to there in it. */
function holdsEpoch(longer: LogView, ended: LogView, end: number): boolean {
  const newest = ended.epochs[ended.epochs.length - 1];
  const at = longer.epochs.findIndex(({ id }) => id === newest?.id);
  const from = longer.epochs[at]?.firstSequence ?? Number.POSITIVE_INFINITY;
  const to = longer.epochs[at + 1]?.firstSequence ?? Number.POSITIVE_INFINITY;
  return at >= 0 && end >= from && end < to;
}
