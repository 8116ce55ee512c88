import type { NodeName } from './network.ts';
import { type Chapter, chapters } from './rows.ts';
import { type RowResult, runRow } from './run-row.ts';
import { withSite } from './with-site.ts';

/** The names of all rows, as `--row` takes them. */
export const rowNames = chapters.flatMap(({ rows }) => rows.map(({ name }) => name));

/**
 * Runs the rows of the condition table and prints what came of each.
 * @param wanted names of rows; empty: all
 * @returns how many do not hold
 */
export async function runTable(wanted: string[], keepLogs: boolean): Promise<number> {
  console.log('| condition | leader, at ms | follower, at ms | ms to the state | ms to heal | |');
  console.log('|---|---|---|---|---|---|');
  let wrong = 0;
  for (const chapter of chapters) wrong += await runChapter(chapter, wanted, keepLogs);
  return wrong;
}

async function runChapter({ probes, rows }: Chapter, wanted: string[], keepLogs: boolean): Promise<number> {
  const chosen = rows.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  if (chosen.length === 0) return 0;
  return withSite({ probes, keepLogs }, async (site) => {
    let wrong = 0;
    for (const row of chosen) {
      const result = await runRow(site, row);
      console.log(line(result));
      const wrongs = [...result.problems, ...result.late];
      for (const each of wrongs) console.log(`    ${each}`);
      if (wrongs.length > 0) wrong++;
    }
    return wrong;
  });
}

function line({ condition, passed, toStateMs, toHealMs, problems, late }: RowResult): string {
  const path = (node: NodeName) =>
    passed[node].map(({ state, afterMs }) => `${state} ${afterMs}`).join(' > ') || 'unchanged';
  const columns = [condition, path('node-a'), path('node-b'), toStateMs, toHealMs];
  const verdict = problems.length > 0 ? 'WRONG' : late.length > 0 ? 'LATE' : 'ok';
  return `| ${columns.join(' | ')} | ${verdict} |`;
}
