import { EtcdError } from '../errors.ts';
import { status } from './status.ts';

/** Before each message: a byte that tells whether it is compressed, and its length in four (grpc/doc/PROTOCOL-HTTP2.md). */
export const prefixBytes = 5;

/**
 * Puts messages together from the chunks that a call brings: a message may be spread over many, and one chunk may hold many.
 * A message that came in one chunk is a view of it.
 */
export class MessageReader {
  readonly #maxBytes: number;
  /** What came of the next message and its prefix, while that is not whole. */
  #parts: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the next message with its prefix; only the prefix while its length is not known. */
  #wanted = prefixBytes;

  /** @param maxBytes the largest message that is taken */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether a message has begun that is not whole. */
  get isCut(): boolean {
    return this.#bytes > 0;
  }

  /**
   * Takes a chunk and returns the messages that it completes.
   * @throws EtcdError when what comes is no message, or one that is too large; with the code and text of etcd's gRPC library
   */
  push(chunk: Buffer): Buffer[] {
    const messages: Buffer[] = [];
    let rest = this.#join(chunk);
    while (rest.length >= prefixBytes) {
      const end = prefixBytes + this.#lengthOf(rest);
      this.#wanted = end;
      if (rest.length < end) break;
      messages.push(rest.subarray(prefixBytes, end));
      rest = rest.subarray(end);
      this.#wanted = prefixBytes;
    }
    this.#keep(rest);
    return messages;
  }

  /** All that waits and the chunk, once that is enough to go on; until then nothing is copied. */
  #join(chunk: Buffer): Buffer {
    if (this.#bytes === 0) return chunk;
    this.#parts.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#wanted) return nothing;
    const joined = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = 0;
    return joined;
  }

  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#parts.push(rest);
    this.#bytes = rest.length;
  }

  #lengthOf(prefix: Buffer): number {
    const flag = prefix[0];
    if (flag === 1)
      throw new EtcdError(status.INTERNAL, 'grpc: compressed flag set with identity or empty encoding');
    if (flag !== 0) throw new EtcdError(status.INTERNAL, `grpc: received unexpected payload format ${flag}`);
    const length = prefix.readUInt32BE(1);
    if (length > this.#maxBytes) {
      const text = `grpc: received message larger than max (${length} vs. ${this.#maxBytes})`;
      throw new EtcdError(status.RESOURCE_EXHAUSTED, text);
    }
    return length;
  }
}

const nothing = Buffer.alloc(0);

/** The prefix of a message of `length` bytes. */
export function framePrefix(length: number): Buffer {
  const out = Buffer.allocUnsafe(prefixBytes);
  writePrefix(out, length);
  return out;
}

/** A message with its prefix. */
export function frame(message: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(prefixBytes + message.length);
  writePrefix(out, message.length);
  out.set(message, prefixBytes);
  return out;
}

function writePrefix(out: Buffer, length: number): void {
  out[0] = 0;
  out.writeUInt32BE(length, 1);
}
