import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Command, readArguments, readNumber } from '../command-line.ts';
import type { LeaseRecord } from '../history/history.ts';
import { seededRandom } from '../history/random.ts';
import { type Round, runRound } from './round.ts';
import { type Kill, Target } from './target.ts';

const command: Command = {
  name: 'npm run kills',
  usage: `npm run kills -- [--rounds N] [--seed N]

Kills the shim and its nats-server under load, 200 times, and checks what their clients were told. The seed decides what is
asked and who is killed when; the machine decides the rest. A history that is wrong stays on disk.`,
};

const { values } = readArguments(command, {
  options: {
    rounds: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
  },
});

/** Sums over all rounds. */
class Total {
  readonly kills = new Map<string, number>();
  readonly counts = new Map<string, number>();
  wrong = 0;

  add({ kills, report }: Round): void {
    for (const kill of kills) add(this.kills, nameOf(kill), 1);
    for (const [name, count] of Object.entries(report.counts)) add(this.counts, name, count);
    if (report.problems.length > 0) this.wrong++;
  }
}

function add(sums: Map<string, number>, name: string, count: number): void {
  sums.set(name, (sums.get(name) ?? 0) + count);
}

function textOf(sums: Map<string, number>): string {
  return [...sums].map(([name, sum]) => `${name} ${sum}`).join(', ');
}

function nameOf({ victim, stallMs }: Kill): string {
  return stallMs > 0 ? `${victim} after a stall` : victim;
}

function tell(number: number, { kills, history, report }: Round, folder: string): void {
  const { acknowledged, unknown, happened, revisions } = report.counts;
  const figures = `${acknowledged} acknowledged, ${unknown} unknown (${happened} happened), ${revisions} revisions`;
  console.log(
    `${number}: kill ${kills.map(nameOf).join(', ')}: ${figures} ${report.problems.length > 0 ? 'WRONG' : 'ok'}`,
  );
  if (report.problems.length === 0) return;
  const file = join(folder, `history-${number}.json`);
  writeFileSync(file, JSON.stringify(history));
  for (const problem of report.problems.slice(0, 10)) console.log(`    ${problem}`);
  console.log(`    the history is in ${file}`);
}

const rounds = readNumber(command, '--rounds', values.rounds, 1);
const seed = readNumber(command, '--seed', values.seed);
console.log(`${rounds} rounds, --seed ${seed}`);
const target = await Target.start();
const total = new Total();
const random = seededRandom(seed);
let leases: LeaseRecord[] = [];
for (let number = 1; number <= rounds; number++) {
  const round = await runRound(target, random, leases);
  leases = round.history.leases;
  tell(number, round, target.folder);
  total.add(round);
}
await target.stop(total.wrong > 0);
console.log(`kills: ${textOf(total.kills)}`);
console.log(`calls: ${textOf(total.counts)}`);
console.log(`${rounds - total.wrong} rounds right, ${total.wrong} wrong`);
process.exitCode = total.wrong > 0 ? 1 : 0;
