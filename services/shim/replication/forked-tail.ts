import type { JetStreamManager, NatsConnection } from 'nats';
import type { Logger } from '../../../shared/logger.ts';
import { subjects } from '../../../shared/subjects.ts';
import { replayLog } from '../log/open-log.ts';
import type { Conflict } from '../log/record.ts';
import { findStream, readLastMessage } from '../log/stream.ts';
import { Database } from '../store/database.ts';
import { readKeyValue } from '../store/key-value.ts';
import { mergeEntries, TouchedKeys, touch, touchReplayed } from './overlay.ts';
import type { MergeEntry } from './protocol.ts';

/** What a mirror holds and its leader's log does not: the keys that were changed, and the conflicts that are open. */
export interface ForkedTail {
  entries: MergeEntry[];
  conflicts: Conflict[];
}

/**
 * What a mirror holds beyond the last record that it shares with the leader's log, as if it were an overlay on that record: the
 * leader lost it and wrote on. Where they share nothing, that is all that the mirror holds. The conflicts in it are part of it: a
 * version that lost one stands nowhere else.
 * @param common the last record that both hold, 0 when there is none
 */
export async function forkedTail(
  options: { connection: NatsConnection; manager: JetStreamManager; logger: Logger },
  stream: string,
  common: number,
): Promise<ForkedTail> {
  const { manager } = options;
  const state = (await findStream(manager, stream))?.state;
  const last = await readLastMessage(manager, stream, subjects.logRecords);
  if (!state || !last) return { entries: [], conflicts: [] };
  const database = new Database();
  const touched = new TouchedKeys();
  const found = new Set<string>();
  await replayLog(options, stream, state.first_seq, last.sequence, (record, sequence) => {
    if (sequence > common) {
      touchReplayed(database, record, touched);
      for (const entry of record.entries) if (entry.kind === 'conflict') found.add(entry.conflict.id);
    }
    database.apply(record, sequence);
    database.store.show(record.lastRevision);
  });
  const { store } = database;
  if (common < state.first_seq) {
    // What is only stated again, because the records that held it are cleaned away, is part of it too.
    for (const { bytes } of store.range({ key: '', end: null, revision: store.visible })) {
      const kv = readKeyValue(bytes);
      if (!touched.has(kv.key)) touch(touched, kv, undefined, { cause: 'client', timeMs: Date.now() });
    }
  }
  return {
    entries: mergeEntries(store, touched),
    conflicts: [...database.conflicts].filter(({ id }) => found.has(id)),
  };
}
