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

/** What the two nodes wrote under one key while apart, when the merge took the leader's. Null is a deletion. */
export interface Conflict {
  key: string;
  /** The leader's encoded KeyValue, which stays, or null. */
  leader: Uint8Array | null;
  /** The value that the follower wrote, or null. */
  follower: Uint8Array | null;
  /** When the follower wrote it, in ms since the Unix epoch. */
  followerTimeMs: number;
}

/** One thing that happened, in the order of the log. */
export type Entry =
  /** A transaction: its changes as encoded KeyValues, all at one revision. Version 0 is a deletion. */
  | { kind: 'revision'; revision: number; cause: Cause; changes: Uint8Array[] }
  | { kind: 'lease-grant'; id: bigint; ttlSeconds: number }
  | { kind: 'lease-revoke'; id: bigint }
  | { kind: 'compact'; revision: number }
  /** A leader began to write: number, random id, and the sequence of the record that says so. */
  | { kind: 'epoch'; number: number; id: string; firstSequence: number }
  /** The revision moves up to here, and everything before is compacted. */
  | { kind: 'jump'; revision: number }
  /** An overlay begins: it stands on the mirror up to this sequence. */
  | { kind: 'overlay'; id: string; baseSequence: number }
  /** All of the overlay up to this revision of its own is merged. */
  | { kind: 'merged'; overlay: string; position: number }
  | { kind: 'conflict'; conflict: Conflict }
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
  conflict: 9,
  version: 10,
  cleaned: 11,
  alarm: 12,
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
    case 'overlay':
      writer.latin1(entry.id);
      writer.varint(entry.baseSequence);
      return;
    case 'merged':
      writer.latin1(entry.overlay);
      writer.varint(entry.position);
      return;
    case 'conflict':
      writer.latin1(entry.conflict.key);
      writeOptional(writer, entry.conflict.leader);
      writeOptional(writer, entry.conflict.follower);
      writer.varint(entry.conflict.followerTimeMs);
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

function writeOptional(writer: Writer, bytes: Uint8Array | null): void {
  writer.byte(bytes ? 1 : 0);
  if (bytes) writer.bytes(bytes);
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
    case kinds.jump:
      return { kind: 'jump', revision: fields.varint() };
    case kinds.overlay:
      return { kind: 'overlay', id: readText(fields), baseSequence: fields.varint() };
    case kinds.merged:
      return { kind: 'merged', overlay: readText(fields), position: fields.varint() };
    case kinds.conflict:
      return {
        kind: 'conflict',
        conflict: {
          key: readText(fields),
          leader: readOptional(fields),
          follower: readOptional(fields),
          followerTimeMs: fields.varint(),
        },
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

function readOptional(reader: Reader): Uint8Array | null {
  return reader.byte() === 1 ? reader.bytes() : null;
}
