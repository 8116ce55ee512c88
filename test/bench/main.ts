import { type Command, readArguments, refuse } from '../command-line.ts';
import { benchCalls } from './calls.ts';
import { benchChurn } from './churn.ts';

const command: Command = {
  name: 'npm run bench',
  usage: `npm run bench [-- OPTIONS]          Kubernetes' calls on etcd, twonode and kine, as a table
  --keys N       keys of 1 KiB in the store (20000); several, as 20000,200000, are measured one after another
  --rounds N     rounds, whose medians count (3)
  --no-kine      without kine

npm run bench -- churn [OPTIONS]    a few keys updated for long on two whole nodes: log, memory, restart
  --keys N            keys (1000)
  --updates N         updates in all (1000000)
  --compact-every N   updates between two compactions (10000)`,
};

function counts(text: string, name: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!Number.isInteger(value) || value <= 0)
      return refuse(command, `${name}: "${part}" is no whole number above 0`);
    return value;
  });
}

async function churn(args: string[]): Promise<void> {
  const { values } = readArguments(command, {
    args,
    options: {
      keys: { type: 'string', default: '1000' },
      updates: { type: 'string', default: '1000000' },
      'compact-every': { type: 'string', default: '10000' },
    },
  });
  const [keys = 1] = counts(values.keys, '--keys');
  const [updates = 1] = counts(values.updates, '--updates');
  const [compactEvery = 1] = counts(values['compact-every'], '--compact-every');
  await benchChurn({ keys, updates, compactEvery });
}

async function calls(args: string[]): Promise<void> {
  const { values } = readArguments(command, {
    args,
    options: {
      keys: { type: 'string', default: '20000' },
      rounds: { type: 'string', default: '3' },
      'no-kine': { type: 'boolean', default: false },
    },
  });
  const [rounds = 1] = counts(values.rounds, '--rounds');
  for (const keys of counts(values.keys, '--keys')) {
    await benchCalls({ keys, rounds, kine: !values['no-kine'] });
  }
}

const [what, ...rest] = process.argv.slice(2);
await (what === 'churn' ? churn(rest) : calls(process.argv.slice(2)));
