import { createHash } from 'node:crypto';
import { chainOf, decodeRecord, type Entry, encodeRecord } from './log/record.ts';
import { Database } from './store/database.ts';

/**
 * A snapshot is the state at one revision: a line that says what it is, then records of the log's own format, each with
 * its length (4 bytes, little endian) before it. They form a chain that begins at 0, so a missing one is noticed. A length
 * of 0 ends them; zeros fill up to a multiple of 512 bytes, then comes the SHA-256 of everything before it, as in etcd's
 * snapshots: etcdctl looks at the size. It is no bolt file: etcdutl cannot read it.
 */
const title = Buffer.from('twonode snapshot 1\n');
/** etcdctl takes a file for complete when its size is a multiple of this and a SHA-256 more. */
const sectorBytes = 512;
const hashBytes = 32;
/** Bytes of versions in one record. */
const recordBytes = 512 * 1024;

/** The snapshot cannot be finished, or cannot be used. */
export class SnapshotError extends Error {
  override name = 'SnapshotError';
}

/**
 * The snapshot of what readers see now, part by part. Writes go on meanwhile and are not in it.
 * @throws SnapshotError when a compaction meanwhile took away what was still to be read
 */
export function* snapshotOf(database: Database, nowMs: number): Generator<Buffer> {
  const revision = database.store.visible;
  const epoch = database.epoch?.number ?? 0;
  const hash = createHash('sha256');
  let size = 0;
  const part = (bytes: Buffer) => {
    hash.update(bytes);
    size += bytes.length;
    return bytes;
  };
  yield part(title);
  let previousChain = 0;
  for (const entries of stateEntries(database, revision)) {
    const record = encodeRecord({
      previousChain,
      epoch,
      firstRevision: 0,
      lastRevision: revision,
      timeMs: nowMs,
      entries,
    });
    previousChain = chainOf(record);
    yield part(Buffer.concat([lengthField(record.length), record]));
  }
  yield part(lengthField(0));
  yield part(Buffer.alloc((sectorBytes - (size % sectorBytes)) % sectorBytes));
  yield hash.digest();
}

/**
 * The state at a revision as entries of the log, some for each record: first what is no version, then the versions that stand,
 * in order of keys. Everything older counts as compacted. Alarms are not in it: they are about a disk.
 * @throws SnapshotError when a compaction meanwhile took away what was still to be read
 */
export function* stateEntries(database: Database, revision: number): Generator<Entry[]> {
  yield [
    ...database.epochEntries(),
    ...[...database.leases].map(([id, ttlSeconds]): Entry => ({ kind: 'lease-grant', id, ttlSeconds })),
    { kind: 'compact', revision },
  ];
  for (const conflict of database.conflicts) yield [{ kind: 'conflict', conflict }];
  let afterKey: string | null = null;
  for (;;) {
    if (database.store.compacted > revision)
      throw new SnapshotError('what the snapshot needs was compacted meanwhile');
    const { found, last } = database.store.standing(revision, afterKey, recordBytes);
    yield found.map(({ version }): Entry => ({ kind: 'version', version: version.bytes, end: 0 }));
    if (last === null) return;
    afterKey = last;
  }
}

/**
 * Reads a whole snapshot.
 * @throws SnapshotError when it is none, or not complete and unchanged
 * @throws RecordError when a record in it is of a newer version
 */
export function readSnapshot(bytes: Buffer): Database {
  if (!bytes.subarray(0, title.length).equals(title)) throw new SnapshotError('it is no snapshot of twonode');
  const content = bytes.subarray(0, -hashBytes);
  const hash = createHash('sha256').update(content).digest();
  if (!hash.equals(bytes.subarray(-hashBytes))) throw new SnapshotError('its checksum is wrong');
  const database = new Database();
  let chain = 0;
  let offset = title.length;
  for (let length = content.readUInt32LE(offset); length > 0; length = content.readUInt32LE(offset)) {
    offset += 4 + length;
    const record = decodeRecord(content.subarray(offset - length, offset), chain);
    database.apply(record, 0);
    database.store.show(record.lastRevision);
    chain = record.chain;
  }
  return database;
}

function lengthField(length: number): Buffer {
  const field = Buffer.alloc(4);
  field.writeUInt32LE(length);
  return field;
}
