import { Reader, varintSize, writeVarint } from '../protobuf/wire.ts';

/** The numbers of an `mvccpb.KeyValue` beside its key and value. */
export interface KeyValueFields {
  modRevision: number;
  /** 0 for a deletion. */
  createRevision: number;
  /** 0 for a deletion. */
  version: number;
  lease: bigint;
}

/** Field tags of mvccpb.KeyValue (etcd api/mvccpb/kv.proto): number * 8 + wire type. */
const tag = {
  key: 0x0a,
  createRevision: 0x10,
  modRevision: 0x18,
  version: 0x20,
  value: 0x2a,
  lease: 0x30,
} as const;

/** Size in bytes of the encoded KeyValue. `keyLength` and `valueLength` are in bytes. */
export function keyValueSize(keyLength: number, fields: KeyValueFields, valueLength: number): number {
  let size = 1 + varintSize(keyLength) + keyLength;
  if (fields.createRevision) size += 1 + varintSize(fields.createRevision);
  size += 1 + varintSize(fields.modRevision);
  if (fields.version) size += 1 + varintSize(fields.version);
  if (valueLength) size += 1 + varintSize(valueLength) + valueLength;
  if (fields.lease) size += 1 + leaseSize(fields.lease);
  return size;
}

/** Encodes a KeyValue into `out`, which must have room for {@link keyValueSize} bytes; returns the offset behind it. */
export function writeKeyValue(
  out: Buffer,
  offset: number,
  key: string,
  fields: KeyValueFields,
  value: Uint8Array,
): number {
  out[offset++] = tag.key;
  offset = writeVarint(out, offset, key.length);
  offset += out.write(key, offset, 'latin1');
  if (fields.createRevision) {
    out[offset++] = tag.createRevision;
    offset = writeVarint(out, offset, fields.createRevision);
  }
  out[offset++] = tag.modRevision;
  offset = writeVarint(out, offset, fields.modRevision);
  if (fields.version) {
    out[offset++] = tag.version;
    offset = writeVarint(out, offset, fields.version);
  }
  if (value.length) {
    out[offset++] = tag.value;
    offset = writeVarint(out, offset, value.length);
    out.set(value, offset);
    offset += value.length;
  }
  if (fields.lease) {
    out[offset++] = tag.lease;
    offset = writeLease(out, offset, fields.lease);
  }
  return offset;
}

/** A KeyValue as it is read back: key and value are views of the input. */
export interface KeyValue extends KeyValueFields {
  key: string;
  value: Buffer;
}

const empty = Buffer.alloc(0);

/**
 * Reads an encoded KeyValue.
 * @throws WireError
 */
export function readKeyValue(bytes: Buffer): KeyValue {
  const reader = new Reader(bytes);
  const kv: KeyValue = { key: '', createRevision: 0, modRevision: 0, version: 0, lease: 0n, value: empty };
  while (!reader.done) {
    const field = reader.byte();
    if (field === tag.key) kv.key = reader.bytes().toString('latin1');
    else if (field === tag.createRevision) kv.createRevision = reader.varint();
    else if (field === tag.modRevision) kv.modRevision = reader.varint();
    else if (field === tag.version) kv.version = reader.varint();
    else if (field === tag.value) kv.value = reader.bytes();
    else if (field === tag.lease) kv.lease = reader.int64Exact();
    else reader.skip(field & 7);
  }
  return kv;
}

/** Only the value of an encoded KeyValue, as a view. */
export function readValue(bytes: Buffer): Buffer {
  const reader = new Reader(bytes);
  while (!reader.done) {
    const field = reader.byte();
    if (field === tag.value) return reader.bytes();
    reader.skip(field & 7);
  }
  return empty;
}

/** Size of a lease id as a varint: 7 bits a byte, 10 bytes for a negative one. */
function leaseSize(lease: bigint): number {
  let size = 1;
  for (let rest = BigInt.asUintN(64, lease); rest >= 0x80n; rest >>= 7n) size++;
  return size;
}

function writeLease(out: Buffer, offset: number, lease: bigint): number {
  let rest = BigInt.asUintN(64, lease);
  for (; rest >= 0x80n; rest >>= 7n) out[offset++] = Number(rest & 0x7fn) | 0x80;
  out[offset++] = Number(rest);
  return offset;
}
