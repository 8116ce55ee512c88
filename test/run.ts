import { type Command, readArguments, refuse } from './command-line.ts';
import { addCounts, type Counts, summaryLine } from './runner/count.ts';
import { findJobs, type Job } from './runner/jobs.ts';
import { buildPrograms } from './runner/programs.ts';

const command: Command = {
  name: 'npm test',
  usage: `npm test                  everything that must pass before a change lands
npm test -- --only TEXT   what has TEXT in its name`,
};

/** The machine may have two cores. */
const unitsAtOnce = 2;
/** Lines of the nodes' logs that are shown of a failed test file: where it hangs, they tell where. */
const shownLogLines = 100;

async function runJob(job: Job): Promise<Counts> {
  const ended = await job.run();
  const counts = job.count(ended);
  const seconds = (ended.durationMs / 1_000).toFixed(1);
  console.log(
    `${counts.failed > 0 ? 'FAILED' : 'ok    '} ${job.name} (${summaryLine(counts)}, ${seconds} s)`,
  );
  if (counts.failed > 0) console.log(withoutOldLogs(ended.output));
  return counts;
}

function withoutOldLogs(output: string): string {
  const lines = output.split('\n');
  const isLog = (line: string) => line.startsWith('{"level":');
  let old = lines.filter(isLog).length - shownLogLines;
  return lines.filter((line) => !isLog(line) || old-- <= 0).join('\n');
}

/** Runs the jobs in their order, at most `atOnce` at a time. */
async function runAll(jobs: Job[], atOnce: number): Promise<Counts[]> {
  const waiting = [...jobs];
  const counts: Counts[] = [];
  const worker = async () => {
    for (let job = waiting.shift(); job; job = waiting.shift()) counts.push(await runJob(job));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return counts;
}

const { only: text } = readArguments(command, {
  options: { only: { type: 'string', default: '' } },
}).values;
const jobs = (await findJobs()).filter(({ name }) => name.includes(text));
if (jobs.length === 0) refuse(command, `nothing has "${text}" in its name`);
if (text === '') await buildPrograms();
const checks = jobs.filter(({ name }) => !name.endsWith('.js'));
const units = jobs.filter(({ name, alone }) => name.endsWith('.js') && !alone);
const wholes = jobs.filter(({ name, alone }) => name.endsWith('.js') && alone);
const counts = addCounts([
  ...(await runAll(checks, 1)),
  ...(await runAll(units, unitsAtOnce)),
  ...(await runAll(wholes, 1)),
]);
console.log(summaryLine(counts));
process.exitCode = counts.failed > 0 ? 1 : 0;
