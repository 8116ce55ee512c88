/** How many tests of a job passed, failed and were skipped. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Reads uvu's summary at the end of a test file's output. A file that crashed, was killed or never came to its summary
 * counts as one failed test at least.
 * @param status exit status of the file; null when a signal ended it
 */
export function countUvu(output: string, status: number | null): Counts {
  const number = (title: string) => {
    const all = [...output.matchAll(new RegExp(`^  ${title}: +(\\d+)$`, 'gm'))];
    return all.length === 0 ? null : all.reduce((sum, match) => sum + Number(match[1]), 0);
  };
  const [total, passed, skipped] = [number('Total'), number('Passed'), number('Skipped')];
  if (total === null || passed === null) return { passed: 0, failed: 1, skipped: 0 };
  const failed = total - passed;
  return { passed, failed: status === 0 ? failed : Math.max(1, failed), skipped: skipped ?? 0 };
}

export function addCounts(all: Counts[]): Counts {
  const sum = (key: keyof Counts) => all.reduce((total, counts) => total + counts[key], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

/** The last line of the test run. */
export function summaryLine({ passed, failed, skipped }: Counts): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped > 0 ? `${line}, ${skipped} skipped` : line;
}
