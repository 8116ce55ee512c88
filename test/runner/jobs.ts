import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Counts, countUvu } from './count.ts';
import { type Ended, runCommand } from './run-command.ts';

export const repository = fileURLToPath(new URL('../../..', import.meta.url));
const dist = join(repository, 'dist');
/** The longest takes 20 s on a quiet machine; this is for one that hangs. */
const unitLimitMs = 300_000;
/** Tests below test/ start real clusters. */
const wholeLimitMs = 600_000;

/** One thing that must pass: a check of the whole tree, or a test file in a process of its own. */
export interface Job {
  name: string;
  /** Whether it needs the machine for itself. */
  alone: boolean;
  run(): Promise<Ended>;
  count(ended: Ended): Counts;
}

/** A tool that either finds nothing to complain about, or fails. */
function check(name: string, command: string, args: string[]): Job {
  return {
    name,
    alone: true,
    run: () => runCommand(command, args, repository, unitLimitMs),
    count: ({ status }) => ({ passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 }),
  };
}

function testFile(name: string): Job {
  const alone = name.startsWith('test/');
  return {
    name,
    alone,
    run: () =>
      runCommand(process.execPath, [join(dist, name)], repository, alone ? wholeLimitMs : unitLimitMs),
    count: ({ output, status }) => countUvu(output, status),
  };
}

/** All jobs, in the order of their run: checks, tests beside the code, tests of the whole. */
export async function findJobs(): Promise<Job[]> {
  const files = (await readdir(dist, { recursive: true }))
    .filter((file) => file.endsWith('.test.js'))
    // dist may hold what is left of a source that is gone.
    .filter((file) => existsSync(join(repository, file.replace(/\.js$/, '.ts'))))
    .sort();
  const tests = files.map(testFile);
  const bin = (name: string) => join(repository, 'node_modules/.bin', name);
  return [
    check('lint', bin('biome'), ['check', '.']),
    check('typecheck', bin('tsc'), ['-p', '.']),
    ...tests.filter(({ alone }) => !alone),
    ...tests.filter(({ alone }) => alone),
  ];
}
