import { crc32 } from 'node:zlib';
import { Reader, Writer } from '../protobuf/wire.ts';
import type { AlarmType } from '../store/alarms.ts';

/**
 * The log's format. One record is one group commit and one JetStream message: all changes that were gathered while the
 * record before it was on its way. It holds whole transactions, so it is atomic by construction, on the mirror too.
 *
 * Layout: a fixed header of {@link headerBytes} (little endian), then the entries, each a kind, a length and its fields.
 * The chain is a CRC-32 over everything behind it, seeded with the chain of the record before: equal chains at one
 * sequence mean equal logs up to there, and a torn or changed record does not check.
 */
export const formatVersion = 1;
export const headerBytes = 44;
const magic = 0x4e54; // "TN"

/** Why keys changed: a client asked, a lease ran out, or an overlay was merged. */
export type Cause = 'client' | 'lease-expiry' | 'merge';
const causes: readonly Cause[] = ['client', 'lease-expiry', 'merge'];

/** How a merge decides between the two versions of a key that both nodes changed while apart (docs/conflicts.md). */
export const conflictPolicies = ['leader-wins', 'newest-wins', 'manual'] as const;
export type ConflictPolicy = (typeof conflictPolicies)[number];

/** What one node made of a key on which both disagree. */
export interface ConflictSide {
  node: string;
  deleted: boolean;
  /** Empty for a deletion, and where {@link ConflictSide.omittedBytes} are left out. */
  value: Uint8Array;
  /** Bytes of a value that is too large to stand here beside the other one: it is the one that the log holds. */
  omittedBytes: number;
  /** The key's mod revision on that node; 0: not known (a deletion that is compacted). */
  revision: number;
  /** When it was written, in ms since the Unix epoch by that node's clock; 0: not known. */
  timeMs: number;
}

/** A key that both nodes changed while apart. Exactly one of its two versions is in the log. */
export interface Conflict {
  /** The same overlay and key always give the same id. */
  id: string;
  key: string;
  /** What decided. `manual`: nobody has yet, and the leader's stays meanwhile. */
  policy: ConflictPolicy;
  /** Whose version is in the log. */
  winner: 'leader' | 'follower';
  /** Controllers rewrite it anyway: hidden from people by default. */
  routine: boolean;
  /** When the merge found it, in ms since the Unix epoch by the leader's clock. */
  foundMs: number;
  leader: ConflictSide;
  follower: ConflictSide;
}

/** About how many bytes a conflict takes in the log, and in memory. */
export function conflictBytes({ key, leader, follower }: Conflict): number {
  return key.length + leader.value.length + follower.value.length + 192;
}

/** How a conflict came to its end: a person took the other version or kept the one in the log, or there were too many. */
export const conflictEnds = ['applied', 'dropped', 'evicted'] as const;
export type ConflictEnd = (typeof conflictEnds)[number];

/** One thing that happened, in the order of the log. */
export type Entry =
  /** A transaction: its changes as encoded KeyValues, all at one revision. Version 0 is a deletion. */
  | { kind: 'revision'; revision: number; cause: Cause; changes: Uint8Array[] }
  | { kind: 'lease-grant'; id: bigint; ttlSeconds: number }
  | { kind: 'lease-revoke'; id: bigint }
  | { kind: 'compact'; revision: number }
  /** A leader began to write: number, random id, and the sequence of the record that says so. */
  | { kind: 'epoch'; number: number; id: string; firstSequence: number }
  /** From here on this node alone writes the log: each exchange of the roles is the next generation. */
  | { kind: 'leadership'; generation: number; node: string }
  /** The revision moves up to here, and everything before is compacted. */
  | { kind: 'jump'; revision: number }
  /** An overlay begins: it stands on the mirror up to this sequence. */
  | { kind: 'overlay'; id: string; baseSequence: number }
  /** All of the overlay up to this revision of its own is merged. */
  | { kind: 'merged'; overlay: string; position: number }
  /**
   * The merge has dealt with a key of the overlay, up to the overlay's revision `position`. The follower's version of it now
   * stands in the log at `revision`: 0 as a deletion, -1 not at all.
   */
  | { kind: 'judged'; key: string; position: number; revision: number }
  | { kind: 'conflict'; conflict: Conflict }
  | { kind: 'conflict-end'; id: string; how: ConflictEnd }
  /**
   * A key of an overlay, stated once more because the records that changed it are cleaned away. `base` is its mod revision in the
   * mirror, 0 if it was absent there; `ended` is the revision that ended that version, or 0: a deletion is none of the versions that
   * are stated again. The rest tells the key's last change.
   */
  | {
      kind: 'touched';
      key: string;
      base: number;
      ended: number;
      revision: number;
      lease: bigint;
      cause: Cause;
      timeMs: number;
    }
  /** A version stated once more, because the record that held it is cleaned away. `end`: the revision that ended it, or 0. */
  | { kind: 'version'; version: Uint8Array; end: number }
  /** All that records before this sequence held, and that is still needed, is stated again by now. */
  | { kind: 'cleaned'; sequence: number }
  /** An alarm was raised, or disarmed. */
  | { kind: 'alarm'; memberId: bigint; type: AlarmType; raised: boolean };

export interface LogRecord {
  chain: number;
  previousChain: number;
  epoch: number;
  /** The head before the record and after it. */
  firstRevision: number;
  lastRevision: number;
  /** When it was written, in ms since the Unix epoch, by its node's clock. */
  timeMs: number;
  entries: Entry[];
}

/** A record that cannot be read: torn, changed, or written by a newer version. */
export class RecordError extends Error {
  override name = 'RecordError';
}

/** A record of another format: it is whole, but this version cannot read it. */
export class FormatError extends RecordError {
  override name = 'FormatError';
}

const kinds = {
  revision: 1,
  'lease-grant': 2,
  'lease-revoke': 3,
  compact: 4,
  epoch: 5,
  jump: 6,
  overlay: 7,
  merged: 8,
  // 9 was a conflict without id and policy, before 0.1.
  version: 10,
  cleaned: 11,
  alarm: 12,
  judged: 13,
  conflict: 14,
  'conflict-end': 15,
  leadership: 16,
  touched: 17,
} as const satisfies Record<Entry['kind'], number>;

/** Encodes a record; its chain is computed and stands in the result's bytes 4 to 8, see {@link chainOf}. */
export function encodeRecord(record: Omit<LogRecord, 'chain'>): Buffer {
  const writer = new Writer(1024);
  writer.raw(Buffer.alloc(headerBytes));
  for (const entry of record.entries) {
    writer.byte(kinds[entry.kind]);
    writer.nested(() => writeEntry(writer, entry));
  }
  const out = writer.finish();
  out.writeUInt16LE(magic, 0);
  out[2] = formatVersion;
  out.writeUInt32LE(record.previousChain, 8);
  out.writeUInt32LE(record.epoch, 12);
  out.writeDoubleLE(record.firstRevision, 16);
  out.writeDoubleLE(record.lastRevision, 24);
  out.writeDoubleLE(record.timeMs, 32);
  out.writeUInt32LE(record.entries.length, 40);
  out.writeUInt32LE(checksum(out, record.previousChain), 4);
  return out;
}

/**
 * The CRC starts behind the previous chain, which is its seed: run over that too, the two would cancel out, for a CRC
 * begins by adding its seed to the first four bytes.
 */
function checksum(bytes: Buffer, previousChain: number): number {
  return crc32(bytes.subarray(12), previousChain);
}

/** The chain of an encoded record. */
export function chainOf(bytes: Buffer): number {
  return bytes.readUInt32LE(4);
}

function writeEntry(writer: Writer, entry: Entry): void {
  switch (entry.kind) {
    case 'revision':
      writer.varint(entry.revision);
      writer.varint(causes.indexOf(entry.cause));
      for (const change of entry.changes) writer.bytes(change);
      return;
    case 'lease-grant':
      writer.int64Exact(entry.id);
      writer.varint(entry.ttlSeconds);
      return;
    case 'lease-revoke':
      writer.int64Exact(entry.id);
      return;
    case 'compact':
    case 'jump':
      writer.varint(entry.revision);
      return;
    case 'epoch':
      writer.varint(entry.number);
      writer.latin1(entry.id);
      writer.varint(entry.firstSequence);
      return;
    case 'leadership':
      writer.varint(entry.generation);
      writer.latin1(entry.node);
      return;
    case 'overlay':
      writer.latin1(entry.id);
      writer.varint(entry.baseSequence);
      return;
    case 'merged':
      writer.latin1(entry.overlay);
      writer.varint(entry.position);
      return;
    case 'judged':
      writer.latin1(entry.key);
      writer.varint(entry.position);
      writer.varint(entry.revision + 1);
      return;
    case 'conflict':
      writeConflict(writer, entry.conflict);
      return;
    case 'conflict-end':
      writer.latin1(entry.id);
      writer.varint(conflictEnds.indexOf(entry.how));
      return;
    case 'touched':
      writer.latin1(entry.key);
      writer.varint(entry.base);
      writer.varint(entry.ended);
      writer.varint(entry.revision);
      writer.int64Exact(entry.lease);
      writer.varint(causes.indexOf(entry.cause));
      writer.varint(entry.timeMs);
      return;
    case 'version':
      writer.varint(entry.end);
      writer.bytes(entry.version);
      return;
    case 'cleaned':
      writer.varint(entry.sequence);
      return;
    case 'alarm':
      writer.int64Exact(entry.memberId);
      writer.latin1(entry.type);
      writer.byte(entry.raised ? 1 : 0);
  }
}

/** A conflict as the two nodes send it to each other. */
export const conflictCodec = {
  encode: (conflict: Conflict): Buffer => {
    const writer = new Writer(conflictBytes(conflict));
    writeConflict(writer, conflict);
    return writer.finish();
  },
  /** Its values are views of the input. */
  decode: (bytes: Buffer): Conflict => readConflict(new Reader(bytes)),
};

function writeConflict(writer: Writer, conflict: Conflict): void {
  writer.latin1(conflict.id);
  writer.latin1(conflict.key);
  writer.varint(conflictPolicies.indexOf(conflict.policy));
  writer.byte(conflict.winner === 'follower' ? 1 : 0);
  writer.byte(conflict.routine ? 1 : 0);
  writer.varint(conflict.foundMs);
  for (const side of [conflict.leader, conflict.follower]) {
    writer.latin1(side.node);
    writer.byte(side.deleted ? 1 : 0);
    writer.bytes(side.value);
    writer.varint(side.omittedBytes);
    writer.varint(side.revision);
    writer.varint(side.timeMs);
  }
}

/**
 * Decodes a record and checks it. Its byte fields are views of the input.
 * @param previousChain the chain of the record before; undefined when that is not known (the first one that is read)
 * @throws RecordError
 */
export function decodeRecord(bytes: Buffer, previousChain: number | undefined): LogRecord {
  // Byte 3 is kept free for a later format.
  if (bytes.length < headerBytes || bytes.readUInt16LE(0) !== magic || bytes[3] !== 0)
    throw new RecordError('it is no log record');
  const version = bytes[2] as number;
  if (version !== formatVersion) {
    throw new FormatError(
      `it has format ${version}, this twonode reads format ${formatVersion}: use the version of twonode that wrote it`,
    );
  }
  const record: LogRecord = {
    chain: bytes.readUInt32LE(4),
    previousChain: bytes.readUInt32LE(8),
    epoch: bytes.readUInt32LE(12),
    firstRevision: bytes.readDoubleLE(16),
    lastRevision: bytes.readDoubleLE(24),
    timeMs: bytes.readDoubleLE(32),
    entries: [],
  };
  if (checksum(bytes, record.previousChain) !== record.chain) throw new RecordError('its checksum is wrong');
  if (previousChain !== undefined && record.previousChain !== previousChain) {
    throw new RecordError('it does not follow the record before it');
  }
  const reader = new Reader(bytes, headerBytes);
  for (let count = bytes.readUInt32LE(40); count > 0; count--) record.entries.push(readEntry(reader));
  return record;
}

function readEntry(reader: Reader): Entry {
  const kind = reader.byte();
  const body = reader.bytes();
  const fields = new Reader(body);
  switch (kind) {
    case kinds.revision: {
      const revision = fields.varint();
      const cause = causes[fields.varint()] ?? 'client';
      const changes: Uint8Array[] = [];
      while (!fields.done) changes.push(fields.bytes());
      return { kind: 'revision', revision, cause, changes };
    }
    case kinds['lease-grant']:
      return { kind: 'lease-grant', id: fields.int64Exact(), ttlSeconds: fields.varint() };
    case kinds['lease-revoke']:
      return { kind: 'lease-revoke', id: fields.int64Exact() };
    case kinds.compact:
      return { kind: 'compact', revision: fields.varint() };
    case kinds.epoch:
      return { kind: 'epoch', number: fields.varint(), id: readText(fields), firstSequence: fields.varint() };
    case kinds.leadership:
      return { kind: 'leadership', generation: fields.varint(), node: readText(fields) };
    case kinds.jump:
      return { kind: 'jump', revision: fields.varint() };
    case kinds.overlay:
      return { kind: 'overlay', id: readText(fields), baseSequence: fields.varint() };
    case kinds.merged:
      return { kind: 'merged', overlay: readText(fields), position: fields.varint() };
    case kinds.judged: {
      const [key, position] = [readText(fields), fields.varint()];
      return { kind: 'judged', key, position, revision: fields.varint() - 1 };
    }
    case kinds.conflict:
      return { kind: 'conflict', conflict: readConflict(fields) };
    case kinds['conflict-end']:
      return {
        kind: 'conflict-end',
        id: readText(fields),
        how: conflictEnds[fields.varint()] ?? 'dropped',
      };
    case kinds.touched:
      return {
        kind: 'touched',
        key: readText(fields),
        base: fields.varint(),
        ended: fields.varint(),
        revision: fields.varint(),
        lease: fields.int64Exact(),
        cause: causes[fields.varint()] ?? 'client',
        timeMs: fields.varint(),
      };
    case kinds.version:
      return { kind: 'version', end: fields.varint(), version: fields.bytes() };
    case kinds.cleaned:
      return { kind: 'cleaned', sequence: fields.varint() };
    case kinds.alarm:
      return {
        kind: 'alarm',
        memberId: fields.int64Exact(),
        type: readText(fields) as AlarmType,
        raised: fields.byte() === 1,
      };
    default:
      throw new RecordError(`it holds an entry of kind ${kind}, which this twonode does not know`);
  }
}

function readText(reader: Reader): string {
  return reader.bytes().toString('latin1');
}

function readConflict(reader: Reader): Conflict {
  return {
    id: readText(reader),
    key: readText(reader),
    policy: conflictPolicies[reader.varint()] ?? 'leader-wins',
    winner: reader.byte() === 1 ? 'follower' : 'leader',
    routine: reader.byte() === 1,
    foundMs: reader.varint(),
    leader: readSide(reader),
    follower: readSide(reader),
  };
}

function readSide(reader: Reader): ConflictSide {
  return {
    node: readText(reader),
    deleted: reader.byte() === 1,
    value: reader.bytes(),
    omittedBytes: reader.varint(),
    revision: reader.varint(),
    timeMs: reader.varint(),
  };
}
