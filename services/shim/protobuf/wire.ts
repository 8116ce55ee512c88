/**
 * Protocol Buffers' wire format (https://protobuf.dev/programming-guides/encoding/), as far as etcd's messages use it.
 *
 * Why not a library: revisions must be numbers (2^53 is enough by design), lease ids exact 64-bit integers, and stored
 * values must be spliced into answers without being decoded. The libraries offer one form of int64 for everything and
 * objects in between, which cost more than the rest of a call (docs/performance.md).
 */

/** A message that is not well-formed. Its text is that of etcd's own decoder, since it goes to clients. */
export class WireError extends Error {
  override name = 'WireError';
}

const two32 = 2 ** 32;

/** Number of bytes of a varint, for 0 <= value < 2^53. */
export function varintSize(value: number): number {
  let size = 1;
  while (value >= 0x80) {
    value = Math.floor(value / 0x80);
    size++;
  }
  return size;
}

/** Writes a varint, for 0 <= value < 2^53; returns the offset behind it. */
export function writeVarint(out: Uint8Array, offset: number, value: number): number {
  while (value >= two32) {
    out[offset++] = (value % 0x80) | 0x80;
    value = Math.floor(value / 0x80);
  }
  value >>>= 0;
  while (value >= 0x80) {
    out[offset++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  out[offset++] = value;
  return offset;
}

/** Reads fields out of a buffer. All methods throw {@link WireError} when the buffer ends too early. */
export class Reader {
  readonly buffer: Buffer;
  offset: number;
  end: number;

  constructor(buffer: Buffer, offset = 0, end = buffer.length) {
    this.buffer = buffer;
    this.offset = offset;
    this.end = end;
  }

  get done(): boolean {
    return this.offset >= this.end;
  }

  byte(): number {
    if (this.offset >= this.end) throw new WireError('unexpected EOF');
    return this.buffer[this.offset++] as number;
  }

  /** An unsigned varint; exact up to 2^53, rounded above. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new WireError('proto: integer overflow');
  }

  /** An int64 as a number; exact within 2^53. */
  int64(): number {
    const value = this.varint();
    return value >= 2 ** 63 ? Number(BigInt.asIntN(64, this.#again())) : value;
  }

  /** An int64 as a bigint, exact. */
  int64Exact(): bigint {
    const start = this.offset;
    const value = this.varint();
    if (value <= Number.MAX_SAFE_INTEGER) return BigInt(value);
    this.offset = start;
    let exact = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      exact |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asIntN(64, exact);
    }
  }

  /** A length and as many bytes, as a view. */
  bytes(): Buffer {
    const start = this.#part();
    return this.buffer.subarray(start, this.offset);
  }

  /** A length and as many bytes, as latin1 text. */
  latin1(): string {
    const start = this.#part();
    return this.buffer.toString('latin1', start, this.offset);
  }

  /** Goes behind a length and as many bytes; returns where these begin. */
  #part(): number {
    const length = this.varint();
    const start = this.offset;
    this.#advance(length);
    return start;
  }

  /** Passes over the field whose tag was just read. */
  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#advance(8);
    else if (wireType === 2) this.#advance(this.varint());
    else if (wireType === 5) this.#advance(4);
    else throw new WireError(`proto: illegal wireType ${wireType}`);
  }

  #advance(length: number): void {
    if (length > this.end - this.offset) throw new WireError('unexpected EOF');
    this.offset += length;
  }

  /** Reads the varint that ends at the current offset once more, exactly. */
  #again(): bigint {
    let start = this.offset - 1;
    while (start > 0 && this.offset - start < 10 && (this.buffer[start - 1] as number) >= 0x80) start--;
    this.offset = start;
    return this.int64Exact();
  }
}

/**
 * Writes fields into a buffer that grows. What is written is for sending: whoever keeps it for long keeps the pool of Node's
 * buffers that it may be part of.
 */
export class Writer {
  #buffer: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written; a view of the writer's buffer. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = value;
  }

  varint(value: number): void {
    this.#reserve(10);
    this.#length = writeVarint(this.#buffer, this.#length, value);
  }

  /** An int64 given as a number; negative ones take 10 bytes. */
  int64(value: number): void {
    if (value < 0) this.int64Exact(BigInt(value));
    else this.varint(value);
  }

  int64Exact(value: bigint): void {
    if (value >= 0n && value <= Number.MAX_SAFE_INTEGER) {
      this.varint(Number(value));
      return;
    }
    this.#reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      this.#buffer[this.#length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#length++] = Number(rest);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** `length` bytes of a buffer from `offset`, with their length before them. */
  part(source: Uint8Array, offset: number, length: number): void {
    this.varint(length);
    this.#reserve(length);
    this.#buffer.set(new Uint8Array(source.buffer, source.byteOffset + offset, length), this.#length);
    this.#length += length;
  }

  /** A length and the bytes. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** A key (latin1 text, one character for each byte) as length and bytes. */
  latin1(text: string): void {
    this.varint(text.length);
    this.#reserve(text.length);
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
  }

  /** A length-delimited part whose length is known only when it is written. */
  nested(write: () => void): void {
    const start = this.#length;
    this.#reserve(1);
    this.#length += 1;
    write();
    const length = this.#length - start - 1;
    const size = varintSize(length);
    if (size > 1) {
      this.#reserve(size - 1);
      this.#buffer.copyWithin(start + size, start + 1, this.#length);
      this.#length += size - 1;
    }
    writeVarint(this.#buffer, start, length);
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
