import { parseArgs } from 'node:util';
import { type Chapter, chapters } from './rows.ts';
import { type RowResult, runRow } from './run-row.ts';
import { Site } from './site.ts';

// `npm run faults [-- --row NAME]...`: every row of the condition table on two real nodes in network namespaces.

const { values } = parseArgs({
  options: {
    row: { type: 'string', multiple: true, default: [] },
    keep: { type: 'boolean', default: false },
  },
});
const known = chapters.flatMap(({ rows }) => rows.map(({ name }) => name));
for (const name of values.row) {
  if (known.includes(name)) continue;
  console.error(`there is no row "${name}": the rows are ${known.join(', ')}`);
  process.exit(2);
}

let site: Site | undefined;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await site?.close();
    process.exit(1);
  });
}

async function runChapter({ probes, rows }: Chapter): Promise<RowResult[]> {
  const wanted = rows.filter(({ name }) => values.row.length === 0 || values.row.includes(name));
  if (wanted.length === 0) return [];
  const results: RowResult[] = [];
  try {
    site = await Site.build(probes);
    await site.start();
    for (const row of wanted) {
      const result = await runRow(site, row);
      results.push(result);
      console.log(line(result));
      for (const problem of result.problems) console.log(`    ${problem}`);
    }
  } finally {
    await site?.close({ keepFolder: values.keep });
    if (values.keep) console.log(`the logs are in ${site?.folder}`);
  }
  return results;
}

function line({ condition, passed, toStateMs, toHealMs, problems }: RowResult): string {
  const path = (node: 'node-a' | 'node-b') => passed[node].join(' > ') || 'unchanged';
  const columns = [path('node-a'), path('node-b'), `${toStateMs}`, `${toHealMs}`];
  return `| ${condition} | ${columns.join(' | ')} | ${problems.length === 0 ? 'ok' : 'WRONG'} |`;
}

console.log('| condition | leader | follower | ms to the state | ms to heal | |');
console.log('|---|---|---|---|---|---|');
const results: RowResult[] = [];
for (const chapter of chapters) results.push(...(await runChapter(chapter)));
const wrong = results.filter(({ problems }) => problems.length > 0);
console.log(`\n${results.length - wrong.length} rows hold, ${wrong.length} do not`);
process.exit(wrong.length > 0 ? 1 : 0);
