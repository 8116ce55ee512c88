import { parseArgs } from 'node:util';
import { runSeed } from './run-seed.ts';

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '100' }, seed: { type: 'string' } },
});
const first = Number(values.seed ?? 1);
const count = values.seed === undefined ? Number(values.seeds) : 1;
const started = process.cpuUsage();
let failed = 0;
for (let seed = first; seed < first + count; seed++) {
  const result = await runSeed(seed, { keepsContents: values.seed !== undefined });
  if (values.seed !== undefined) console.log(result.trace.join('\n'));
  if (result.violations.length === 0) continue;
  failed++;
  console.log(
    `seed ${seed}: ${result.violations[0]?.invariant}: ${result.violations[0]?.text}\n  again: npm run sim -- --seed ${seed}`,
  );
}
const { user, system } = process.cpuUsage(started);
console.log(`${count} seeds, ${failed} failed, ${((user + system) / 1e6).toFixed(1)} s of CPU`);
process.exitCode = failed > 0 ? 1 : 0;
