import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Store } from '../store/store.ts';
import { FencedError, StoreFullError } from './fenced-publisher.ts';
import { GroupCommit } from './group-commit.ts';
import { decodeRecord } from './record.ts';

const test = suite('group commit');

/** A log whose acknowledgements the test gives by hand. */
function setUp() {
  const store = new Store();
  const published: { record: Buffer; acknowledge: (error?: Error) => void }[] = [];
  let onPublish = () => {};
  const visible: number[] = [];
  const commit = new GroupCommit({
    store,
    position: { sequence: 0, chain: 0 },
    epoch: 1,
    publish: (record, last) =>
      new Promise((resolve, reject) => {
        published.push({ record, acknowledge: (error) => (error ? reject(error) : resolve(last + 1)) });
        onPublish();
      }),
    replicated: () => Promise.resolve(),
    onVisible: (_from, to) => visible.push(to),
    onLogged: () => undefined,
    onFenced: () => undefined,
    close: () => undefined,
    now: () => 0,
    logger: pino({ level: 'silent' }),
  });
  const write = (key: string) => {
    const version = store.put(store.head + 1, key, Buffer.from(key), 0n);
    return commit.append([
      { kind: 'revision', revision: store.head, cause: 'client', changes: [version.bytes] },
    ]);
  };
  /** Resolves when the nth record has been published, n from 1. */
  const nth = (n: number) =>
    new Promise<(typeof published)[number]>((resolve) => {
      const look = () => {
        const found = published[n - 1];
        if (found) resolve(found);
      };
      onPublish = look;
      look();
    });
  return { store, commit, write, nth, published, visible };
}

test('what comes while a record is on its way goes into the next one, and is shown in order', async () => {
  const { store, write, nth, published, visible } = setUp();
  const first = write('a');
  (await nth(1)).acknowledge;
  const later = [write('b'), write('c')];
  assert.is(published.length, 1);
  assert.is(store.head, 4);
  assert.is(store.visible, 1);
  (await nth(1)).acknowledge();
  await first;
  assert.is(store.visible, 2);
  const second = await nth(2);
  assert.is(decodeRecord(second.record, undefined).entries.length, 2);
  second.acknowledge();
  await Promise.all(later);
  assert.equal(visible, [2, 4]);
});

test('a no-op is a record without entries, and shows nothing', async () => {
  const { store, commit, nth, visible } = setUp();
  const written = commit.appendNoOp();
  const { record, acknowledge } = await nth(1);
  assert.equal(decodeRecord(record, undefined).entries, []);
  acknowledge();
  await written;
  assert.is(commit.position.sequence, 1);
  assert.is(store.head, 1);
  assert.equal(visible, []);
});

test('what a full store refuses is taken back, with all that was judged on it', async () => {
  const { store, write, nth } = setUp();
  const first = write('a');
  const record = await nth(1);
  const second = write('b');
  record.acknowledge(new StoreFullError('full'));
  for (const outcome of await Promise.allSettled([first, second])) assert.is(outcome.status, 'rejected');
  assert.is(store.head, 1);
  assert.is(store.current('a'), undefined);
  const third = write('c');
  (await nth(2)).acknowledge();
  await third;
  assert.is(store.visible, 2);
});

test('a writer that was fenced off takes nothing more', async () => {
  const { commit, write, nth } = setUp();
  const first = write('a');
  (await nth(1)).acknowledge(new FencedError('another writer'));
  await first.then(
    () => assert.unreachable(),
    (error: Error) => assert.instance(error, FencedError),
  );
  assert.throws(
    () => commit.checkAccepting(),
    (error: Error) => error instanceof FencedError,
  );
});

test('settled waits for what is on its way', async () => {
  const { commit, write, nth } = setUp();
  const first = write('a');
  let settled = false;
  const waiting = commit.settled().then(() => {
    settled = true;
  });
  const record = await nth(1);
  assert.not(settled);
  record.acknowledge();
  await Promise.all([first, waiting]);
  assert.ok(settled);
});

test('so many bytes wait for a log that stands still, and no more', async () => {
  const { store, commit, nth } = setUp();
  const value = Buffer.alloc(8 * 1024 * 1024);
  const writes: Promise<void>[] = [];
  const write = () => {
    commit.checkAccepting();
    const { bytes } = store.put(store.head + 1, 'large', value, 0n);
    writes.push(
      commit.append([{ kind: 'revision', revision: store.head, cause: 'client', changes: [bytes] }]),
    );
  };
  assert.throws(() => {
    for (let i = 0; i < 100; i++) write();
  }, /too many requests/);
  assert.is(writes.length, 32);
  for (let i = 1; i <= writes.length; i++) (await nth(i)).acknowledge();
  await Promise.all(writes);
  commit.checkAccepting();
});

test.run();
