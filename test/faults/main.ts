import { type Command, readArguments, readNumber, refuse } from '../command-line.ts';
import { runCuts } from './cuts.ts';
import { runFalseAlarms } from './false-alarms.ts';
import { runFigures } from './figures.ts';
import { runLoad } from './load.ts';
import { runMirror } from './mirror.ts';
import { rowNames, runTable } from './table.ts';

const command: Command = {
  name: 'npm run faults',
  usage: `Faults on two whole nodes in network namespaces. Needs root.

npm run faults                             every row of the condition table
npm run faults -- --row NAME               one row, or several
npm run faults -- load [TEXT]              faults under load; only those with TEXT in their name
npm run faults -- cuts [N [SECONDS [SITES]]]   figures of N cuts of the link (50), with so much time (3 s) between
                                           two, on SITES sites at once (1)
npm run faults -- alarms [MIN [PERCENT]]   false alarms in 10 minutes with 30 % of the packets lost
npm run faults -- mirror [N]               how soon the mirror goes on, after each of N cuts and kills (10)
npm run faults -- figures                  lag of the mirror, and writes beside a two-member etcd
  --keep         the folder with the nodes' logs stays`,
};

const { values, positionals } = readArguments(command, {
  allowPositionals: true,
  options: {
    row: { type: 'string', multiple: true, default: [] },
    keep: { type: 'boolean', default: false },
  },
});

const number = (name: string, text: string, otherwise: number) =>
  text === '' ? otherwise : readNumber(command, name, text, 1);

async function run(what = 'table', argument = '', second = '', third = ''): Promise<number> {
  switch (what) {
    case 'table': {
      const unknown = values.row.find((name) => !rowNames.includes(name));
      if (unknown)
        return refuse(command, `there is no row "${unknown}": the rows are ${rowNames.join(', ')}`);
      return runTable(values.row, values.keep);
    }
    case 'load':
      return runLoad(argument, values.keep);
    case 'cuts':
      return runCuts(
        {
          count: number('N', argument, 50),
          restSeconds: number('SECONDS', second, 3),
          sites: number('SITES', third, 1),
        },
        values.keep,
      );
    case 'alarms':
      return runFalseAlarms(number('MIN', argument, 10), number('PERCENT', second, 30), values.keep);
    case 'mirror':
      await runMirror(number('N', argument, 10), values.keep);
      return 0;
    case 'figures':
      await runFigures(values.keep);
      return 0;
    default:
      return refuse(command, `what is "${what}"? table, load, cuts, alarms, mirror or figures`);
  }
}

const wrong = await run(...positionals);
if (wrong > 0) console.log(`\n${wrong} went wrong`);
process.exit(wrong > 0 ? 1 : 0);
