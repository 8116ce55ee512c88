import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Accepted, admit, type Sent } from './replay.ts';
import type { Beat } from './wire.ts';

const sent: Sent = { run: 'ours', oldestFresh: 100, newest: 300 };
const accepted: Accepted = { bootId: 'boot', run: 'theirs', seq: 50 };

function beat(change: Partial<Beat>): Beat {
  return {
    node: 'node-b',
    boot_id: 'boot',
    run: 'theirs',
    seq: 51,
    sent_ms: 0,
    state: null,
    state_reason: null,
    state_age_ms: 0,
    epoch: 0,
    config_digest: '',
    api: null,
    leaving: false,
    restarting_ms: null,
    heard: null,
    ...change,
  };
}

const heard = (run: string, seq: number) => ({ heard: { run, seq, age_ms: 1 } });

const cases: [string, Accepted | null, Partial<Beat>, string][] = [
  ['the next one', accepted, {}, 'admitted'],
  ['one after a gap', accepted, { seq: 90 }, 'admitted'],
  ['the same again', accepted, { seq: 50 }, 'replayed'],
  ['an old one of this run', accepted, { seq: 3 }, 'replayed'],
  ['the first, which has heard nothing yet', null, {}, 'unconfirmed'],
  ['the first, which has heard us just now', null, heard('ours', 300), 'admitted'],
  ['a new run which has heard us', accepted, { run: 'new', seq: 1, ...heard('ours', 299) }, 'admitted'],
  ['a new run which has not', accepted, { run: 'new', seq: 1 }, 'unconfirmed'],
  ['a recording from before our start', null, heard('ours-before', 200), 'unconfirmed'],
  ['a recording of long ago', accepted, { run: 'old', ...heard('ours', 99) }, 'unconfirmed'],
  ['one that claims to have heard what we never sent', null, heard('ours', 301), 'unconfirmed'],
  ['another boot under the same run', accepted, { boot_id: 'other' }, 'unconfirmed'],
];

for (const [what, before, change, expected] of cases) {
  test(`replay: ${what}`, () => {
    const admission = admit(before, sent, beat(change));
    assert.is(admission.admitted ? 'admitted' : admission.why, expected);
  });
}

test.run();
