import { writeVersion } from '../kv/responses.ts';
import { Writer } from '../protobuf/wire.ts';
import type { Version } from '../store/version.ts';

/**
 * Encodes a change as field 11 (`events`) of etcd's WatchResponse.
 * @param previous the version before; undefined when it is not asked for, or when there is none
 */
export function encodeEvent(version: Version, previous: Version | undefined): Buffer {
  const writer = new Writer(version.length + (previous?.length ?? 0) + 32);
  writer.byte(0x5a);
  writer.nested(() => {
    if (version.deleted) {
      writer.byte(0x08);
      writer.byte(1);
    }
    writeVersion(writer, 0x12, version, false);
    if (previous) writeVersion(writer, 0x1a, previous, false);
  });
  return writer.finish();
}

/** Encodes each change once for all watchers who ask for it in the same form. */
export class EventCache {
  readonly #plain = new Map<Version, Buffer>();
  readonly #withPrevious = new Map<Version, Buffer>();

  get(version: Version, previousOf: ((version: Version) => Version | undefined) | null): Buffer {
    const cache = previousOf ? this.#withPrevious : this.#plain;
    const known = cache.get(version);
    if (known) return known;
    const encoded = encodeEvent(version, previousOf?.(version));
    cache.set(version, encoded);
    return encoded;
  }
}
