import { existsSync } from 'node:fs';
import { UserError } from '../../../shared/lifecycle.ts';
import { subjects } from '../../../shared/subjects.ts';
import { leadershipOf, openLog, openLogWriter } from '../log/owned-log.ts';
import { findLogStreams, findStream, giveUp, isWritable, makeWritable } from '../log/stream.ts';
import type { NodeContext } from '../node/node.ts';
import { streamBytesMax } from '../quota.ts';
import type { Database } from '../store/database.ts';
import { endRestore } from './restore.ts';

// The roles of two nodes are exchanged in their configuration (docs/roles.md). The log says who leads it, so that a node which
// comes with another role than it had neither leads beside the other one, nor without what only the other one holds.

/**
 * What a follower does at its start with a log that it wrote as the leader: it writes into it that the peer leads from here
 * on, and then writes no more. Killed in between, it does the rest at its next start. The peer takes the log's end from here.
 * @throws UserError when the log is damaged, or lacks records: its whole end is not here, so it must not be given away
 */
export async function handOver(context: NodeContext): Promise<void> {
  const { connection, manager, config, pair, paths, verifiedPoint, logger } = context;
  const [stream] = await findLogStreams(manager);
  const info = stream && (await findStream(manager, stream));
  if (!stream || !info || !isWritable(info, subjects.logRecords)) return;
  const options = {
    connection,
    stream,
    subject: subjects.logRecords,
    maxBytes: streamBytesMax(config.datastore.quotaBackendBytes),
    logger,
  };
  const log = await openLog(options);
  const { database } = log;
  if (log.fault) {
    throw new UserError(
      `${pair.self.name} led this log, and it is not whole (${log.fault}): ${undo(pair.self.name)}`,
    );
  }
  if (database.leadership?.node === pair.self.name) {
    if (existsSync(paths.restoreMark)) {
      const { self, peer } = pair;
      throw new UserError(
        `${self.name} led this log, and has not got back yet from ${peer.name} what it lacks: ${undo(self.name)}`,
      );
    }
    const commit = await openLogWriter({
      ...options,
      log,
      epoch: database.epoch?.number ?? 0,
      replicated: () => Promise.resolve(),
      onVisible: () => undefined,
      onWritten: context.onWritten,
      onFenced: context.onLost,
    });
    const next = leadershipOf(pair.peer.name, database);
    await commit
      .append([{ kind: 'leadership', ...next }])
      .finally(() => commit.stop(new Error('the log is handed over')));
    verifiedPoint.save(commit.position);
    logger.warn({ ...next, sequence: commit.position.sequence }, 'the log is handed over');
  }
  // What a new leader lacked when it became the follower again is the other's to have.
  await endRestore({ manager, mark: paths.restoreMark });
  await giveUp(manager, stream);
}

/**
 * What a leader does at its start with a mirror that it fed as the follower: makes it a log that can be written.
 * @returns why it cannot; null when the log is one that this node can write
 */
export async function takeOver(
  { manager, config, pair }: NodeContext,
  stream: string,
  { leadership }: Database,
): Promise<string | null> {
  const self = pair.self.name;
  const info = await findStream(manager, stream);
  if (!info || isWritable(info, subjects.logRecords)) return null;
  if ((await findLogStreams(manager)).length > 1) {
    return `${self} had not copied the whole log when the roles were exchanged: ${undo(pair.peer.name)}`;
  }
  if (!leadership) return `the log of ${self} does not tell who leads it: ${undo(pair.peer.name)}`;
  const maxBytes = streamBytesMax(config.datastore.quotaBackendBytes);
  await makeWritable(manager, { name: stream, subject: subjects.logRecords, maxBytes });
  return null;
}

/** Why this leader must not lead the log yet: it is the peer's, as the log says, and nobody said that the peer is gone. Else null. */
export function ledByPeer({ pair, paths }: NodeContext, { leadership }: Database): string | null {
  const { self, peer } = pair;
  if (!leadership || leadership.node === self.name || existsSync(paths.promoteMark)) return null;
  return (
    `${leadership.node} leads this log and has not handed it over: start ${peer.name} as the follower, ` +
    'or, if its disk is gone for good, see "twonode promote"'
  );
}

function undo(leader: string): string {
  return `make ${leader} the leader again in the configuration of both nodes, and wait until both are healthy`;
}
