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
  console.log('| condition | leader | follower | ms to the state | ms to heal | |');
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
      for (const problem of result.problems) console.log(`    ${problem}`);
      if (result.problems.length > 0) wrong++;
    }
    return wrong;
  });
}

function line({ condition, passed, toStateMs, toHealMs, problems }: RowResult): string {
  const path = (node: 'node-a' | 'node-b') => passed[node].join(' > ') || 'unchanged';
  const columns = [condition, path('node-a'), path('node-b'), toStateMs, toHealMs];
  return `| ${columns.join(' | ')} | ${problems.length === 0 ? 'ok' : 'WRONG'} |`;
}
