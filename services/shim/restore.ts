import { randomBytes } from 'node:crypto';
import { connectBus } from '../../shared/bus.ts';
import { UserError } from '../../shared/lifecycle.ts';
import type { Logger } from '../../shared/logger.ts';
import { freeNatsPorts, startNatsServer } from '../../shared/nats-server/child.ts';
import { servicesUser, singleNodeConfig } from '../../shared/nats-server/config.ts';
import { logStream } from '../../shared/nats-server/names.ts';
import { subjects } from '../../shared/subjects.ts';
import { FencedError, StoreFullError } from './log/fenced-publisher.ts';
import { beginEpoch, openLog, openLogWriter } from './log/owned-log.ts';
import type { Entry } from './log/record.ts';
import { streamBytesMax } from './quota.ts';
import { stateEntries } from './snapshot.ts';
import type { Database } from './store/database.ts';
import { restoreBand } from './store/revision-band.ts';

export interface RestoreOptions {
  /** What `readSnapshot` gave. */
  snapshot: Database;
  /** Where the nats-server keeps its log and its store; there must be none yet. */
  folder: string;
  /** JetStream domain of the node. */
  domain: string;
  /** From `findBinary('nats-server')`. */
  binary: string;
  /** Size of the log at which the NOSPACE alarm is raised, in bytes. */
  quotaBytes: number;
  logger: Logger;
}

/**
 * Writes a snapshot as a new log, with a nats-server of its own for as long as that takes. The log has an epoch of its own, so
 * no mirror of the old one goes on with it, and its revisions jump: clients list anew.
 * @returns the revision at which the store goes on
 * @throws UserError when the snapshot is larger than the quota allows
 */
export async function restoreLog(options: RestoreOptions): Promise<number> {
  const { folder, domain, binary, logger } = options;
  const password = randomBytes(16).toString('hex');
  const ports = await freeNatsPorts();
  const config = singleNodeConfig(domain, folder, ports, { services: password });
  const server = await startNatsServer({ binary, config, folder, ports, logger });
  try {
    const { url } = server;
    const connection = await connectBus({ url, name: 'restore', user: servicesUser, password, logger });
    try {
      return await writeLog(options, connection);
    } finally {
      await connection.close();
    }
  } finally {
    await server.stop();
  }
}

async function writeLog(
  { snapshot, domain, quotaBytes, logger }: RestoreOptions,
  connection: Awaited<ReturnType<typeof connectBus>>,
): Promise<number> {
  const logOptions = {
    connection,
    stream: logStream(1),
    subject: subjects.logRecords,
    maxBytes: streamBytesMax(quotaBytes),
    logger,
  };
  const log = await openLog(logOptions);
  const { store } = log.database;
  const revision = snapshot.store.visible;
  store.advance(revision);
  const epoch = {
    number: (snapshot.epoch?.number ?? 0) + 1,
    id: randomBytes(8).toString('hex'),
    firstSequence: 1,
  };
  const commit = await openLogWriter({
    ...logOptions,
    log,
    epoch: epoch.number,
    replicated: () => Promise.resolve(),
    onVisible: () => undefined,
    onWritten: () => undefined,
    onFenced: () => undefined,
  });
  try {
    await beginEpoch(commit, log.database, epoch, domain);
    // The epochs of the old log tell places in that one.
    const isKept = ({ kind }: Entry) => kind !== 'epoch';
    for (const entries of stateEntries(snapshot, revision)) await commit.append(entries.filter(isKept));
    const target = restoreBand(revision);
    store.jump(target);
    await commit.append([{ kind: 'jump', revision: target }]);
    return target;
  } catch (error) {
    if (!(error instanceof StoreFullError)) throw error;
    throw new UserError(`the snapshot does not fit below the quota of ${quotaBytes} bytes`);
  } finally {
    commit.stop(new FencedError('the snapshot is written'));
  }
}
