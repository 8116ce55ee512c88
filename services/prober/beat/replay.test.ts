import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Accepted, admit, type Sent } from './replay.ts';
import type { Beat } from './wire.ts';
import { composeWord, nothingToSay } from './word.ts';

const sent: Sent = { run: 'ours', oldestFresh: 100, newest: 300 };
const accepted: Accepted = { bootId: 'boot', run: 'theirs', seq: 50 };

interface Change {
  seq?: number;
  boot_id?: string;
  run?: string;
  heard_run?: string;
  heardSeq?: number;
}

function beat({ seq = 51, boot_id = 'boot', run = 'theirs', heard_run, heardSeq = 0 }: Change): Beat {
  const configured = { configDigest: '', role: 'follower', cluster: 'edge-1' } as const;
  const identity = { self: 'node-b', bootId: boot_id, run, ...configured };
  return {
    pulse: { seq, sentMs: 0, heardSeq, heardAgeMs: 1 },
    word: composeWord(identity, nothingToSay, heard_run ?? null),
  };
}

const heard = (heard_run: string, heardSeq: number): Change => ({ heard_run, heardSeq });

const cases: [string, Accepted | null, Change, string][] = [
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
