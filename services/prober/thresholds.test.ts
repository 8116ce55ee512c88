import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { settle, unsettled } from './thresholds.ts';
import { failed, ok, unknown, type Verdict, warning } from './verdict.ts';

const thresholds = { failureThreshold: 3, successThreshold: 2 };
const results: Record<string, Verdict> = { o: ok(), w: warning('w'), f: failed('f'), u: unknown('u') };

/** Feeds results by their letters and shows what counted after each; `-` is nothing yet. */
function trace(letters: string, before: Verdict | null = null): string {
  let state = unsettled(before);
  let out = '';
  for (const letter of letters) {
    state = settle(state, results[letter] ?? ok(), thresholds);
    out += state.settled?.status[0] ?? '-';
  }
  return out;
}

const cases: [string, string, string, Verdict | null][] = [
  ['the first success counts', 'o', 'o', null],
  ['the first failure does not', 'fff', '--f', null],
  ['a success between starts the count anew', 'offoff', 'oooooo', null],
  ['three failures in a row', 'offf', 'ooof', null],
  ['back after two successes', 'offfofoo', 'ooofff' + 'fo', null],
  ['a warning is a success', 'offfww', 'oooffw', null],
  ['unknown counts at once, and so does what follows it', 'ouo', 'ouo', null],
  ['a failure from before the restart stays until two successes', 'oo', 'fo', failed('f')],
  ['a success from before the restart stays until three failures', 'fff', 'oof', ok()],
];

for (const [what, letters, expected, before] of cases) {
  test(`thresholds: ${what}`, () => assert.is(trace(letters, before), expected));
}

test.run();
