import type { LargeMessage } from '../etcd/transport.ts';
import { varintSize, Writer } from '../protobuf/wire.ts';
import type { Version } from '../store/version.ts';
import {
  type Header,
  kvsTag,
  type RangeResult,
  writeHeader,
  writeRangeEnd,
  writeRangeResponse,
  writeVersion,
} from './responses.ts';

/** About the size of a piece of a large answer, and of the largest that is no large one. In bytes. */
export const pieceBytes = 128 * 1024;
/** What the fields beside the keys take at most. */
const restBytesMax = 128;
/** What a stored key has before it in an answer, at most: its tag and its length. */
const beforeVersionBytesMax = 8;

/**
 * The answer to a Range. One with many values is put together a piece at a time while it is sent: that needs no memory for
 * the whole, the client gets its first bytes at once, and a piece is still in the processor's cache when it is sent.
 */
export function rangeAnswer(
  header: Header,
  result: RangeResult,
  keysOnly: boolean,
): Uint8Array | LargeMessage {
  const bytes = keysOnly ? 0 : versionsBytes(result.versions);
  if (bytes > pieceBytes) return inPieces(header, result, bytes);
  const writer = new Writer(bytes + restBytesMax);
  writeRangeResponse(writer, header, result, keysOnly);
  return writer.finish();
}

function inPieces(header: Header, result: RangeResult, bytes: number): LargeMessage {
  const begin = new Writer(restBytesMax);
  writeHeader(begin, header);
  const end = new Writer(restBytesMax);
  writeRangeEnd(end, result);
  const length = begin.length + bytes + end.length;
  return { length, pieces: piecesOf(begin.finish(), result.versions, end.finish()) };
}

/** What was found stays as it is, whatever becomes of the keys meanwhile: a version's bytes never change. */
function* piecesOf(begin: Uint8Array, versions: readonly Version[], end: Uint8Array): Generator<Uint8Array> {
  yield begin;
  let at = 0;
  while (at < versions.length) {
    const first = at;
    let bytes = 0;
    do bytes += (versions[at++] as Version).length + beforeVersionBytesMax;
    while (at < versions.length && bytes < pieceBytes);
    const writer = new Writer(bytes);
    for (let i = first; i < at; i++) writeVersion(writer, kvsTag, versions[i] as Version, false);
    yield writer.finish();
  }
  yield end;
}

function versionsBytes(versions: readonly Version[]): number {
  let bytes = 0;
  for (const { length } of versions) bytes += 1 + varintSize(length) + length;
  return bytes;
}
