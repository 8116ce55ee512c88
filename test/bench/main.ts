import { parseArgs } from 'node:util';
import { benchCalls } from './calls.ts';

const usage = `npm run bench [-- OPTIONS]          Kubernetes' calls on etcd, twonode and kine, as a table
  --keys N       keys of 1 KiB in the store (20000); several, as 20000,200000, are measured one after another
  --rounds N     rounds, whose medians count (3)
  --no-kine      without kine`;

/** @throws Error for what is no whole number above 0 */
function counts(text: string, name: string): number[] {
  return text.split(',').map((part) => {
    const value = Number(part);
    if (!Number.isInteger(value) || value <= 0)
      throw new Error(`${name}: "${part}" is no whole number above 0`);
    return value;
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
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

await main().catch((error: Error) => {
  console.error(`npm run bench: ${error.message}\n\n${usage}`);
  process.exitCode = 2;
});
