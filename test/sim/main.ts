import { type Command, readArguments, readNumber, refuse } from '../command-line.ts';
import { countFalseAlarms } from './false-alarms.ts';
import { runSeed } from './run-seed.ts';
import { type FaultName, faultNames } from './scenario.ts';

const command: Command = {
  name: 'npm run sim',
  usage: `npm run sim -- --seeds 10000 [--from 1]         runs seeds and names those that fail
npm run sim -- --seed 42                        runs one again, and prints all that happened
npm run sim -- --seeds 500 --with 'disk lost'   that fault is among those of each seed
npm run sim -- --hours 24 --loss 0.3            the failure detector alone: false alarms`,
};

const { values } = readArguments(command, {
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    with: { type: 'string' },
    hours: { type: 'string' },
    loss: { type: 'string', default: '0.3' },
  },
});

/** Lines of a violation's text that are printed: a stack is long. */
const linesMax = 7;
/** A long run says how far it is after so many seeds. */
const progressSeeds = 500;

function number(name: 'seeds' | 'from' | 'seed' | 'hours' | 'loss'): number {
  return readNumber(command, `--${name}`, values[name] ?? '');
}

/** A fault that is among those of each seed; undefined: none. */
function also(): FaultName | undefined {
  const name = faultNames.find((known) => known === values.with);
  if (values.with !== undefined && !name)
    return refuse(command, `--with: "${values.with}" is none of ${faultNames.join(', ')}`);
  return name;
}

/** Prints all that happens in one seed. @returns whether everything held */
async function replay(seed: number): Promise<boolean> {
  const { trace, violations, virtualMs, events } = await runSeed(seed, { keepsContents: true, also: also() });
  for (const line of trace) console.log(line);
  console.log(`seed ${seed}: ${violations.length} violations, ${virtualMs / 1_000} s, ${events} events`);
  return violations.length === 0;
}

async function runSeeds(from: number, count: number): Promise<boolean> {
  const started = process.cpuUsage();
  let failed = 0;
  for (let seed = from; seed < from + count; seed++) {
    if (seed > from && (seed - from) % progressSeeds === 0)
      console.log(`${seed - from} seeds, ${failed} failed`);
    const [first] = (await runSeed(seed, { also: also() })).violations;
    if (!first) continue;
    failed++;
    console.log(
      `seed ${seed} after ${Math.round(first.atMs)} ms: ${first.invariant}: ${first.text.split('\n', linesMax).join('\n')}`,
    );
    console.log(`  again: npm run sim -- --seed ${seed}${values.with ? ` --with '${values.with}'` : ''}`);
  }
  const { user, system } = process.cpuUsage(started);
  const seconds = (user + system) / 1e6;
  const eachMs = Math.round((seconds * 1_000) / count);
  console.log(`${count} seeds, ${failed} failed, ${seconds.toFixed(1)} s of CPU (${eachMs} ms each)`);
  return failed === 0;
}

function runHours(hours: number, loss: number): boolean {
  const { alarms, gapMaxMs } = countFalseAlarms(number('from'), hours, loss);
  console.log(
    `${hours} hours at ${loss * 100} % loss each way: ${alarms} false alarms, longest gap ${gapMaxMs} ms`,
  );
  return alarms === 0;
}

async function run(): Promise<boolean> {
  if (values.hours !== undefined) return runHours(number('hours'), number('loss'));
  if (values.seed !== undefined) return replay(number('seed'));
  return runSeeds(number('from'), number('seeds'));
}

process.exitCode = (await run()) ? 0 : 1;
