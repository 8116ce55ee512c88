import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bandSize } from '../../services/shim/store/revision-band.ts';
import { checkHistory } from './check.ts';
import type { Answer, Op, Operation } from './history.ts';
import { everyKey } from './model.ts';
import { at, del, get, put, Reference } from './reference.ts';

const test = suite('the checker of histories');

const answerOf = (operation: Operation): Answer => operation.outcome as Answer;

/** Gets, puts, deletes, transactions that hold and that do not, a lease, calls that are not answered. */
function varied(): Reference {
  const etcd = new Reference();
  const first = etcd.call({ success: [put('k/a', 'a1')] });
  etcd.call({ success: [get('k/a')] });
  etcd.call({
    compare: [at('k/a', answerOf(first).revision)],
    success: [put('k/a', 'a2'), put('k/b', 'b2')],
  });
  etcd.call({ compare: [at('k/a', 1)], success: [put('k/a', 'a3')], failure: [get('k/a')] });
  etcd.lost({ success: [put('k/c', 'c4'), del('k/b'), get('k/', 'k0')] });
  etcd.unanswered({ success: [put('k/never', 'n')] });
  etcd.unanswered({ success: [put('k/refused', 'r')] }, 'refused');
  etcd.call({ success: [get('k/', 'k0', 3)] });
  etcd.call({ success: [del('k/', 'k0')] });
  etcd.call({ success: [del('k/', 'k0')] });
  etcd.grant('77', 1_000);
  etcd.call({ success: [put('k/leased', 'l', '77')] });
  etcd.pass(1_000);
  etcd.expire('77');
  etcd.list();
  etcd.watch(2);
  return etcd;
}

test('a right history is right, and all of it is judged', () => {
  const etcd = varied();
  etcd.watch(3, { key: 'k/a', end: 'k/c' });
  assert.equal(checkHistory(etcd.history), {
    problems: [],
    counts: {
      acknowledged: 9,
      refused: 1,
      unknown: 2,
      happened: 1,
      unwatched: 0,
      revisions: 6,
      watchEvents: 13,
    },
  });
});

/** A way to spoil the history of {@link varied}, and what must then be said. */
const wrong: [string, (etcd: Reference) => void, RegExp][] = [
  [
    'an acknowledged write that is not in the log',
    (etcd) => {
      const write = etcd.call({ success: [put('k/z', 'z')] });
      write.returnedMs = write.invokedMs + 1;
    },
    /put k\/z .* was answered with revision 8; the log ends at 7/,
  ],
  [
    'an acknowledged write in whose place another stands',
    ({ history }) => {
      const [first] = history.operations;
      if (first) first.request.success = [put('k/a', 'other')];
    },
    /put k\/a .* should have made of revision 2: k\/a=other; it is k\/a=a1/,
  ],
  [
    'a revision that was given twice',
    ({ history }) => {
      const [first] = history.operations;
      if (first)
        history.operations.push({ ...first, request: { ...first.request, success: [put('k/y', 'y')] } });
    },
    /revision 2 was given to put k\/a .* and to put k\/y/,
  ],
  [
    'half a transaction',
    ({ history }) => {
      for (const { answers } of history.watches) answers[1]?.events.pop();
    },
    /txn of .* should have made of revision 3: k\/a=a2, k\/b=b2; it is k\/a=a2/,
  ],
  [
    'half a transaction that was not answered',
    ({ history }) => {
      for (const { answers } of history.watches) answers[2]?.events.shift();
    },
    /nobody made revision 4: -k\/b/,
  ],
  [
    'a condition that was judged wrongly',
    ({ history }) => {
      const operation = history.operations[2];
      if (operation) operation.request.compare = [at('k/a', 77)];
    },
    /should have made of revision 3: ; it is k\/a=a2, k\/b=b2/,
  ],
  [
    'a stale read',
    (etcd) => {
      const read = etcd.call({ success: [get('k/leased')] });
      read.outcome = { revision: 6, succeeded: true, results: [leased] };
    },
    /get k\/leased .* is at revision 6, though 7 was seen before it began/,
  ],
  [
    'a read of something else than what was there',
    ({ history }) => {
      const [result] = answerOf(history.operations[1] as Operation).results;
      if (result?.kind === 'get') result.keyValues[0] = { ...result.keyValues[0], value: 'x' } as never;
    },
    /get k\/a .* was answered at revision 2 with .*"value":"x".* it should be .*"value":"a1"/,
  ],
  [
    'a read of an old revision as it was not',
    ({ history }) => {
      const [result] = answerOf(history.operations[7] as Operation).results;
      if (result?.kind === 'get') result.keyValues.pop();
    },
    /get k\/\.\.k0 .* was answered at revision 4/,
  ],
  [
    'a wrong previous value',
    ({ history }) => {
      const [result] = answerOf(history.operations[8] as Operation).results;
      if (result?.kind === 'delete') result.previous = [];
    },
    /delete k\/\.\.k0 .* was answered at revision 5/,
  ],
  [
    'a write that was refused and is there',
    ({ history }) => {
      const [first] = history.operations;
      if (first) first.outcome = 'refused';
    },
    /nobody made revision 2: k\/a=a1/,
  ],
  [
    'a write without an answer that is there twice',
    (etcd) => {
      etcd.lost({ success: [put('k/d', 'd8')] });
      const again = etcd.call({ success: [put('k/d', 'd8')] });
      etcd.history.operations.splice(etcd.history.operations.indexOf(again), 1);
      etcd.history.watches.pop();
      etcd.watch(2);
    },
    /nobody made revision [89]: k\/d=d8/,
  ],
  [
    'a write that happened before it was asked for',
    ({ history }) => {
      const [, , , , lost] = history.operations;
      if (lost) {
        lost.invokedMs += 1_000;
        lost.returnedMs += 1_000;
      }
    },
    /put k\/c.* which was not answered, is at revision 4, though 6 was seen before it began/,
  ],
  [
    'two writes whose revisions are not in the order of real time',
    (etcd) => {
      const [first, second] = [
        etcd.call({ success: [put('k/p', '1')] }),
        etcd.call({ success: [put('k/q', '2')] }),
      ];
      etcd.history.watches.pop();
      etcd.watch(2);
      [second.invokedMs, second.returnedMs] = [first.invokedMs - 0.9, first.invokedMs - 0.5];
    },
    /put k\/p .* is at revision 8, though 9 was seen before it began/,
  ],
  [
    'a lease that ended early',
    ({ history }) => {
      for (const lease of history.leases) lease.ttlMs = 1_500;
    },
    /lease 77 ended \d+ ms early, at revision 7/,
  ],
  [
    'a lease that took only some of its keys with it',
    (etcd) => {
      const put2 = etcd.history.operations.find(({ request }) => request.success[0]?.key === 'k/leased');
      if (put2) put2.request.success.push(put('k/leased2', 'l', '77'));
      const answer = put2 && answerOf(put2);
      answer?.results.push({ kind: 'put', previous: null });
      const told = etcd.history.watches[0]?.answers[4];
      told?.events.push({ keyValue: { ...kv('k/leased2', 'l', 6), lease: '77' }, previous: null });
    },
    /nobody made revision 7: -k\/leased/,
  ],
  [
    'a revision that no watch was told of',
    ({ history }) => {
      history.watches[0]?.answers.splice(2, 1);
    },
    /revision 4 is missing before 5/,
  ],
  [
    'a watch that was not told of a change',
    (etcd) => {
      etcd.watch(2, { key: 'k/a', end: '' }).answers.splice(1, 1);
    },
    /the watch of k\/a\.\. from revision 2 at node-a was told for revisions 3 to 5: \[-k\/a\], not \[k\/a=a2, -k\/a\]/,
  ],
  [
    'a watch that was told of a change twice',
    (etcd) => {
      const { answers } = etcd.watch(2, { key: 'k/a', end: '' });
      answers.splice(1, 0, answers[0] as never);
    },
    /was told of 2 again, or out of order/,
  ],
  [
    'a watch that was told another previous value',
    (etcd) => {
      const { answers } = etcd.watch(2, { key: 'k/a', end: '' });
      const event = answers[1]?.events[0];
      if (event) event.previous = null;
    },
    /was told for revisions 3 to 3: other previous values/,
  ],
  [
    'a progress notice ahead of an event',
    (etcd) => {
      const { answers } = etcd.watch(2, { key: 'k/a', end: '' });
      answers.splice(1, 0, { atMs: 0, revision: 4, events: [] });
    },
    /was told for revisions 3 to 4: \[\], not \[k\/a=a2\]/,
  ],
  [
    'one revision with two contents',
    (etcd) => {
      const { answers } = etcd.watch(2, everyKey, 'node-b');
      const event = answers[0]?.events[0];
      if (event) event.keyValue = { ...event.keyValue, value: 'fork' };
    },
    /revision 2 has two contents: k\/a=a1 and k\/a=fork/,
  ],
  [
    'a version number that does not follow',
    ({ history }) => {
      const event = history.watches[0]?.answers[1]?.events[0];
      if (event) event.keyValue = { ...event.keyValue, version: 7 };
    },
    /revision 3 has k\/a created at 2, version 7; that should be 2 and 2/,
  ],
];

const kv = (key: string, value: string, revision: number) => ({
  key,
  value,
  createRevision: revision,
  modRevision: revision,
  version: 1,
  lease: '0',
});
const leased = {
  kind: 'get' as const,
  keyValues: [{ ...kv('k/leased', 'l', 6), lease: '77' }],
  count: 1,
};

for (const [title, spoil, sentence] of wrong) {
  test(`refuses ${title}`, () => {
    const etcd = varied();
    spoil(etcd);
    const { problems } = checkHistory(etcd.history);
    assert.ok(
      problems.some((problem) => sentence.test(problem)),
      `no ${sentence} among:\n${problems.join('\n')}`,
    );
  });
}

test('two nodes apart, each with a band of its own, and the merge', () => {
  const leader = new Reference();
  leader.call({ success: [put('k/a', 'both')] });
  leader.watch(2);
  const alone = new Reference(bandSize);
  Object.assign(alone.history, leader.history);
  alone.list('node-b');
  alone.call({ success: [put('k/b', 'alone')] }, 'node-b');
  alone.watch(bandSize + 1, everyKey, 'node-b');
  assert.equal(checkHistory(alone.history).problems, []);
});

test('what a follower wrote alone may come again with the merge; nothing else may', () => {
  const alone = new Reference(bandSize);
  alone.list('node-b');
  alone.call({ success: [put('k/b', 'alone')] }, 'node-b');
  alone.watch(bandSize + 1, everyKey, 'node-b');
  const merged = new Reference(2 * bandSize);
  merged.history.operations.push(...alone.history.operations);
  merged.history.watches.push(...alone.history.watches);
  merged.pass(100);
  merged.list();
  const merge = merged.call({ success: [put('k/b', 'alone')] });
  merged.history.operations.splice(merged.history.operations.indexOf(merge), 1);
  merged.watch(2 * bandSize + 1);
  assert.equal(checkHistory(merged.history).problems, []);
  const told = merged.history.watches[1]?.answers[0]?.events[0];
  if (told) told.keyValue = { ...told.keyValue, value: 'invented' };
  assert.equal(checkHistory(merged.history).problems, [
    `nobody made revision ${2 * bandSize + 1}: k/b=invented`,
  ]);
});

test('a node never goes back to an earlier band', () => {
  const etcd = new Reference(2 * bandSize);
  etcd.list();
  etcd.history.operations.push({ ...etcd.call({ success: [get('k/a')] }), outcome: back });
  etcd.history.operations.splice(1, 1);
  assert.match(checkHistory(etcd.history).problems.join(), /though node-a was in band 2 before it began/);
});
const back: Answer = { revision: 5, succeeded: true, results: [{ kind: 'get', keyValues: [], count: 0 }] };

/** Calls at random, on few keys; whether a call is answered. */
const calls = fc.array(
  fc.record({
    ops: fc.uniqueArray(
      fc.oneof(
        fc.record({ kind: fc.constant('put' as const), key: fc.constantFrom('k/1', 'k/2', 'k/3') }),
        fc.record({ kind: fc.constant('delete' as const), key: fc.constantFrom('k/4', 'k/5') }),
        fc.record({ kind: fc.constant('get' as const), key: fc.constantFrom('k/6', 'k/7') }),
      ),
      { selector: ({ key }) => key, minLength: 1, maxLength: 3 },
    ),
    answered: fc.boolean(),
  }),
  { minLength: 3, maxLength: 40 },
);

function run(list: { ops: { kind: Op['kind']; key: string }[]; answered: boolean }[]): Reference {
  const etcd = new Reference();
  for (const key of ['k/4', 'k/5', 'k/6']) etcd.call({ success: [put(key, `first of ${key}`)] });
  for (const [index, { ops, answered }] of list.entries()) {
    const success = ops.map(({ kind, key }) =>
      kind === 'put' ? put(key, `${index} ${key}`) : kind === 'delete' ? del(key) : get('k/', 'k0'),
    );
    if (answered) etcd.call({ success });
    else etcd.lost({ success });
  }
  etcd.watch(2);
  return etcd;
}

test('whatever a right store does is right', () => {
  fc.assert(fc.property(calls, (list) => assert.equal(checkHistory(run(list).history).problems, [])));
});

test('a log without one of its revisions is never right', () => {
  fc.assert(
    fc.property(calls, fc.nat(), (list, which) => {
      const { history } = run(list);
      const answers = history.watches[0]?.answers ?? [];
      // The tail that was lost, or a hole: what follows keeps its number, or takes the one that is free.
      const lost = which % answers.length;
      const [gone] = answers.splice(lost, 1);
      const acknowledged = history.operations.some(
        ({ outcome }) => typeof outcome !== 'string' && outcome.revision >= (gone?.revision ?? 0),
      );
      if (lost < answers.length || acknowledged) assert.is.not(checkHistory(history).problems.length, 0);
    }),
  );
});

test.run();
