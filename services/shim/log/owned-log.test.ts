import { pino } from 'pino';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { logStream } from '../../../shared/nats-server/names.ts';
import { startServerPair } from '../../../shared/nats-server/testing.ts';
import { subjects } from '../../../shared/subjects.ts';
import { openLog, streamManager } from './owned-log.ts';

const test = suite('owned log');

test('a larger quota raises the limit of a stream that is there; a smaller one leaves it', async () => {
  const servers = await startServerPair();
  const connection = await servers.connect('node-a', 'services');
  const stream = logStream(1);
  const limitAfterOpening = async (maxBytes: number) => {
    const logger = pino({ level: 'silent' });
    const log = await openLog({ connection, stream, subject: subjects.logRecords, maxBytes, logger });
    await log.raiseLimit();
    return (await (await streamManager(connection)).streams.info(stream)).config.max_bytes;
  };
  assert.is(await limitAfterOpening(1_000_000), 1_000_000);
  assert.is(await limitAfterOpening(2_000_000), 2_000_000);
  assert.is(await limitAfterOpening(1_000_000), 2_000_000);
  await servers.stop();
});

test.run();
