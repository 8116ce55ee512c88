import type { Writer } from '../protobuf/wire.ts';
import { readValue, writeKeyValue } from '../store/key-value.ts';
import type { Version } from '../store/version.ts';

/**
 * Writers for the answers on the hot path: stored KeyValues are copied into them as they are.
 * Field numbers as in etcd api/etcdserverpb/rpc.proto.
 */

/** What stands in a response's header. Inner responses of a Txn have the revision only. */
export interface Header {
  /** Encoded cluster id, member id and raft term; empty in inner responses. */
  identity: Uint8Array;
  revision: number;
}

export function writeHeader(writer: Writer, header: Header): void {
  writer.byte(0x0a);
  writer.nested(() => {
    writer.raw(header.identity);
    if (header.revision === 0) return;
    writer.byte(0x18);
    writer.varint(header.revision);
  });
}

/** Writes a version as field `tag`, with its value or without. */
export function writeVersion(writer: Writer, tag: number, version: Version, keysOnly: boolean): void {
  writer.byte(tag);
  if (!keysOnly) {
    writer.part(version.slab.bytes, version.offset, version.length);
    return;
  }
  const value = readValue(version.bytes);
  const out = Buffer.alloc(version.length - value.length);
  const size = writeKeyValue(out, 0, version.entry.key, version, Buffer.alloc(0));
  writer.bytes(out.subarray(0, size));
}

export interface RangeResult {
  revision: number;
  versions: Version[];
  more: boolean;
  count: number;
}

export function writeRangeResponse(
  writer: Writer,
  header: Header,
  result: RangeResult,
  keysOnly: boolean,
): void {
  writeHeader(writer, header);
  for (const version of result.versions) writeVersion(writer, kvsTag, version, keysOnly);
  writeRangeEnd(writer, result);
}

/** The tag of the field `kvs` in a RangeResponse. */
export const kvsTag = 0x12;

/** What stands behind the keys in a RangeResponse. */
export function writeRangeEnd(writer: Writer, { more, count }: RangeResult): void {
  if (more) {
    writer.byte(0x18);
    writer.byte(1);
  }
  if (count) {
    writer.byte(0x20);
    writer.varint(count);
  }
}

export function writePutResponse(writer: Writer, header: Header, previous: Version | undefined): void {
  writeHeader(writer, header);
  if (previous) writeVersion(writer, 0x12, previous, false);
}

export function writeDeleteRangeResponse(
  writer: Writer,
  header: Header,
  deleted: number,
  previous: readonly Version[],
): void {
  writeHeader(writer, header);
  if (deleted) {
    writer.byte(0x10);
    writer.varint(deleted);
  }
  for (const version of previous) writeVersion(writer, 0x1a, version, false);
}
