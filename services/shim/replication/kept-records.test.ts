import type { JetStreamManager } from 'nats';
import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { keptStream } from '../../../shared/nats-server/names.ts';
import { type ServerPair, startServerPair } from '../../../shared/nats-server/testing.ts';
import { streamManager } from '../log/owned-log.ts';
import { findStream } from '../log/stream.ts';
import { dropKeptRecords, keepRecords, readKeptRecords } from './kept-records.ts';
import type { RawRecord } from './peer-log.ts';

interface Context {
  servers: ServerPair;
  manager: JetStreamManager;
  keep: (first: number, last: number) => Promise<void>;
}
const test = suite<Context>('kept records');

const records = (first: number, last: number): RawRecord[] =>
  Array.from({ length: last - first + 1 }, (_, i) => ({
    sequence: first + i,
    bytes: Buffer.from(`record ${first + i}`),
  }));

test.before.each(async (context) => {
  context.servers = await startServerPair();
  const connection = await context.servers.connect('node-a', 'services');
  const manager = await streamManager(connection);
  const logger = pino({ level: 'silent' });
  context.manager = manager;
  context.keep = (first, last) => keepRecords({ connection, manager, logger }, records(first, last));
});
test.after.each(({ servers }) => servers.stop());

test('they come back at their places, and are gone when they are dropped', async ({ manager, keep }) => {
  assert.equal(await readKeptRecords(manager), []);
  await keep(51, 79);
  assert.equal(await readKeptRecords(manager), records(51, 79));
  await dropKeptRecords(manager);
  assert.is(await findStream(manager, keptStream), null);
  await dropKeptRecords(manager);
});

test('a try that was killed half way is completed from the log', async ({ manager, keep }) => {
  await keep(51, 60);
  await keep(51, 79);
  assert.equal(await readKeptRecords(manager), records(51, 79));
});

test('what was kept outlives a later try with a log that is half made again', async ({ manager, keep }) => {
  await keep(51, 79);
  await keep(51, 55);
  await keep(53, 60);
  assert.equal(await readKeptRecords(manager), records(51, 79));
});

test('records before the kept ones, of which the old log is gone, are not given up', async ({
  manager,
  keep,
}) => {
  await keep(51, 79);
  const outcome = await keep(46, 55).then(
    () => 'kept',
    (error: Error) => error.message,
  );
  assert.is(outcome, 'the records from 46 to 50 would be lost');
  assert.equal(await readKeptRecords(manager), records(51, 79));
});

test.run();
