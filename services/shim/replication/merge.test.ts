import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { StoreFullError } from '../log/fenced-publisher.ts';
import { GroupCommit } from '../log/group-commit.ts';
import { type Conflict, type ConflictPolicy, conflictCodec, decodeRecord } from '../log/record.ts';
import { conflictsMax } from '../store/conflicts.ts';
import { Database } from '../store/database.ts';
import { readValue } from '../store/key-value.ts';
import { Store } from '../store/store.ts';
import { Arbiter } from './arbiter.ts';
import { isEphemeral, judgeMerge, type MergeContext, mergeBatch } from './merge.ts';
import type { MergeEntry } from './protocol.ts';

const test = suite('merge of an overlay');
const logger = pino({ level: 'silent' });
const band = 2 ** 32;

function stored(text: string) {
  return new Store().put(5, 'k', Buffer.from(text), 0n);
}
const change = (base: number, text: string | null, more: Partial<MergeEntry> = {}): MergeEntry => ({
  key: 'k',
  base,
  deleted: text === null,
  value: Buffer.from(text ?? ''),
  timeMs: 1_000,
  revision: band + 1,
  ...more,
});

test('a key that the leader left alone takes the change', () => {
  assert.is(judgeMerge(change(5, 'new'), stored('old'), undefined), 'take');
  assert.is(judgeMerge(change(5, null), stored('old'), undefined), 'take');
  assert.is(judgeMerge(change(0, 'new'), undefined, undefined), 'take');
});

test('the same content on both sides is nothing', () => {
  assert.is(judgeMerge(change(1, 'same'), stored('same'), undefined), 'same');
  assert.is(judgeMerge(change(1, null), undefined, undefined), 'same');
});

test('a key that both changed is a conflict', () => {
  assert.is(judgeMerge(change(4, 'mine'), stored('yours'), undefined), 'conflict');
  assert.is(judgeMerge(change(4, null), stored('yours'), undefined), 'conflict');
  assert.is(judgeMerge(change(4, 'mine'), undefined, undefined), 'conflict');
  assert.is(judgeMerge(change(0, 'mine'), stored('yours'), undefined), 'conflict');
});

test('what a broken-off merge has dealt with is done, whatever the leader made of it since', () => {
  const judged = { position: band + 1, revision: 5 };
  assert.is(judgeMerge(change(4, 'mine'), stored('on top of mine'), judged), 'done');
  assert.is(judgeMerge(change(4, null), stored('born again'), { ...judged, revision: 0 }), 'done');
});

test('what the follower changed once more after a broken-off merge stands on what that made of it', () => {
  const again = { revision: band + 2 };
  const taken = { position: band + 1, revision: 5 };
  assert.is(judgeMerge(change(4, 'later', again), stored('mine'), taken), 'take');
  assert.is(judgeMerge(change(4, 'later', again), undefined, { ...taken, revision: 0 }), 'take');
  assert.is(judgeMerge(change(4, 'later', again), stored('yours'), { ...taken, revision: 3 }), 'conflict');
  assert.is(judgeMerge(change(5, 'later', again), stored('yours'), { ...taken, revision: -1 }), 'conflict');
});

test('what its owner writes anew anyway is never merged', () => {
  assert.ok(isEphemeral('/registry/leases/kube-node-lease/node-b', 0n));
  assert.ok(isEphemeral('compact_rev_key', 0n));
  assert.ok(isEphemeral('/registry/configmaps/default/x', 9n));
  assert.not(isEphemeral('/registry/configmaps/default/x', 0n));
});

/** A leader's database on a log in memory, whose clock stands at 5000 ms. */
function setUp({
  policy = 'leader-wins' as ConflictPolicy,
  offsetMs = 0 as number | null,
  timeMs = 5_000,
} = {}) {
  const database = new Database();
  const { store } = database;
  const records: Buffer[] = [];
  let full = false;
  const commit = new GroupCommit({
    store,
    position: { sequence: 0, chain: 0 },
    epoch: 1,
    publish: async (record) => {
      if (full) throw new StoreFullError('full');
      return records.push(record);
    },
    replicated: () => Promise.resolve(),
    onLogged: () => undefined,
    onVisible: () => undefined,
    onFenced: () => undefined,
    close: () => undefined,
    now: () => 0,
    logger,
  });
  const arbiter = new Arbiter({
    policy,
    clockOffsetMs: () => offsetMs,
    timeOf: async () => timeMs,
    logger,
  });
  const nodes = { leader: 'node-a', follower: 'node-b' };
  const context: MergeContext = { database, commit, arbiter, ...nodes, now: () => 9_000, logger };
  const put = async (key: string, value: string) => {
    const version = store.put(store.head + 1, key, Buffer.from(value), 0n);
    const { modRevision: revision, bytes } = version;
    await commit.append([{ kind: 'revision', revision, cause: 'client', changes: [bytes] }]);
    return revision;
  };
  const merge = (
    entries: MergeEntry[],
    { last = true, revision = band + 100, conflicts = [] as Conflict[] } = {},
  ) => mergeBatch(context, { overlay: 'o', revision, entries, conflicts, last });
  const read = (key: string, of = database) => {
    const version = of.store.current(key);
    return version && readValue(version.bytes).toString();
  };
  /** What a restart, or the follower, makes of the log. */
  const replayed = () => {
    const again = new Database();
    for (const [at, record] of records.entries()) again.apply(decodeRecord(record, undefined), at + 1);
    return again;
  };
  const setFull = (now: boolean) => {
    full = now;
  };
  return { database, put, merge, read, replayed, records, setFull };
}

test('a conflict has both values, revisions, times and nodes, and is read back from the log', async () => {
  const { put, merge, database, replayed, read } = setUp();
  const revision = await put('k', 'leader');
  await merge([change(0, 'follower')]);
  assert.is(read('k'), 'leader');
  const expected = {
    key: 'k',
    policy: 'leader-wins',
    winner: 'leader',
    routine: false,
    foundMs: 9_000,
    leader: {
      node: 'node-a',
      deleted: false,
      value: Buffer.from('leader'),
      omittedBytes: 0,
      revision,
      timeMs: 5_000,
    },
    follower: {
      node: 'node-b',
      deleted: false,
      value: Buffer.from('follower'),
      omittedBytes: 0,
      revision: band + 1,
      timeMs: 1_000,
    },
  };
  for (const { conflicts } of [database, replayed()]) {
    const [{ id, ...rest } = { id: '' }] = conflicts;
    assert.match(id, /^[0-9a-f]{10}$/);
    assert.equal(rest, expected);
  }
});

test('newest-wins: the later change stays, the other one is the conflict', async () => {
  for (const [followerMs, winner] of [
    [4_000, 'leader'],
    [6_000, 'follower'],
  ] as const) {
    const { put, merge, database, read, replayed } = setUp({ policy: 'newest-wins' });
    await put('k', 'leader');
    await merge([change(0, 'follower', { timeMs: followerMs })]);
    assert.is(read('k'), winner);
    assert.is(read('k', replayed()), winner);
    const [conflict] = database.conflicts;
    assert.is(conflict?.winner, winner);
    assert.is(conflict?.policy, 'newest-wins');
  }
});

test("newest-wins: the follower's clock is set right by its offset", async () => {
  const { put, merge, read } = setUp({ policy: 'newest-wins', offsetMs: 900 });
  await put('k', 'leader');
  await merge([change(0, 'follower', { timeMs: 5_800 })]);
  assert.is(read('k'), 'leader');
});

test('newest-wins: a newer deletion deletes', async () => {
  const { put, merge, read } = setUp({ policy: 'newest-wins' });
  await put('k', 'leader');
  await merge([change(0, null, { timeMs: 6_000 })]);
  assert.is(read('k'), undefined);
});

test('newest-wins is refused while the clocks do not agree, and where a time is not known', async () => {
  for (const unsure of [{ offsetMs: 1_001 }, { offsetMs: -1_001 }, { offsetMs: null }, { timeMs: 0 }]) {
    const { put, merge, database, read } = setUp({ policy: 'newest-wins', ...unsure });
    await put('k', 'leader');
    await merge([change(0, 'follower', { timeMs: 6_000 })]);
    assert.is(read('k'), 'leader');
    assert.is([...database.conflicts][0]?.policy, 'leader-wins');
  }
});

test("manual: the leader's stays until a person decides", async () => {
  const { put, merge, database, read } = setUp({ policy: 'manual' });
  await put('k', 'leader');
  await merge([change(0, 'follower')]);
  assert.is(read('k'), 'leader');
  assert.is([...database.conflicts][0]?.policy, 'manual');
});

test('what a client of the leader changes between a broken-off merge and its repetition is no conflict', async () => {
  const { put, merge, database, read } = setUp();
  const base = await put('k', 'base');
  await put('same', 'both');
  const entries = [
    change(base, 'follower'),
    change(1, 'both', { key: 'same' }),
    change(0, 'new', { key: 'new' }),
  ];
  await merge(entries, { last: false });
  await put('k', 'made of what the follower wrote');
  await put('same', 'made of it too');
  await put('new', 'and of this');
  await merge(entries);
  assert.is(read('k'), 'made of what the follower wrote');
  assert.is(read('same'), 'made of it too');
  assert.is(read('new'), 'and of this');
  assert.is(database.conflicts.size, 0);
});

test('the same, after a restart of the leader between the two', async () => {
  const { put, merge, replayed } = setUp();
  const base = await put('k', 'base');
  await merge([change(base, 'follower')], { last: false });
  assert.equal([...replayed().judged], [['k', { position: band + 1, revision: 2 * band + 1 }]]);
  assert.is(replayed().mergingOverlay, 'o');
});

test('what the mirror below an overlay turns out to hold, when that is merged already, is merged too', async () => {
  const { merge, read, records } = setUp();
  const entries = [change(0, 'follower')];
  await merge(entries);
  const { length } = records;
  await merge(entries);
  assert.is(records.length, length, 'only the answer was lost');
  await merge([...entries, change(0, 'lost by the leader', { key: 'below', revision: 7 })]);
  assert.is(read('below'), 'lost by the leader');
});

test('a conflict that is found again with a later change is one conflict', async () => {
  const { put, merge, database, replayed } = setUp();
  await put('k', 'leader');
  await merge([change(0, 'follower')], { last: false });
  await merge([change(0, 'later', { revision: band + 2 })]);
  for (const { conflicts } of [database, replayed()]) {
    assert.is(conflicts.size, 1);
    assert.is([...conflicts][0]?.follower.value.toString(), 'later');
  }
});

test('a batch that the log does not take leaves nothing behind', async () => {
  const { put, merge, database, read, setFull } = setUp();
  await put('both', 'leader');
  setFull(true);
  const entries = [change(0, 'mine', { key: 'mine' }), change(0, 'follower', { key: 'both' })];
  const failure = await merge(entries).catch((error: Error) => error.name);
  assert.is(failure, 'StoreFullError');
  assert.is(read('mine'), undefined);
  assert.is(database.judged.size + database.merged.size + database.conflicts.size, 0);
  setFull(false);
  await merge(entries);
  assert.is(read('mine'), 'mine');
  assert.is(database.conflicts.size, 1);
});

test('large values go into several records, and none is larger than a message may be', async () => {
  const { put, merge, records, replayed } = setUp();
  const mib = 'x'.repeat(1024 * 1024);
  for (const key of ['a', 'b', 'c']) await put(key, `${mib}${mib}${mib}${key}`);
  const before = records.length;
  await merge(['a', 'b', 'c'].map((key) => change(0, `${mib}${mib}${mib}${mib}`, { key })));
  assert.is(records.length - before, 3);
  for (const record of records) assert.ok(record.length < 8 * 1024 * 1024);
  const [conflict] = replayed().conflicts;
  assert.is(conflict?.leader.omittedBytes, 3 * mib.length + 1);
  assert.is(conflict?.follower.value.length, 4 * mib.length);
});

test('beyond the bound the routine conflicts go first, then the oldest, in the log too', async () => {
  const { put, merge, database, replayed } = setUp();
  const keys = Array.from({ length: conflictsMax }, (_, i) => `/registry/configmaps/default/${i}`);
  const slice = '/registry/endpointslices/default/web';
  const late = ['late-1', 'late-2'];
  const all = [...keys, slice, ...late];
  for (const key of all) await put(key, 'leader');
  await merge(all.map((key) => change(0, 'follower', { key })));
  for (const { conflicts } of [database, replayed()]) {
    assert.is(conflicts.size, conflictsMax);
    assert.is(conflicts.evicted, 3);
    const kept = [...conflicts].map(({ key }) => key);
    assert.equal(kept, [...keys.slice(2), ...late]);
  }
});

test('a conflict that this log has lost is taken back as the other copy holds it, once', async () => {
  const lost = setUp();
  await lost.put('k', 'leader');
  await lost.merge([change(0, 'follower')]);
  const conflicts = [...lost.database.conflicts].map((one) =>
    conflictCodec.decode(conflictCodec.encode(one)),
  );
  const { merge, database, replayed } = setUp();
  await merge([], { conflicts, last: false });
  await merge([], { conflicts });
  for (const has of [database, replayed()]) assert.equal([...has.conflicts], [...lost.database.conflicts]);
});

test.run();
