/** Size of a slab in bytes. Larger values get a slab of their own. */
export const slabBytes = 1024 * 1024;

/** A block of memory that holds many encoded values. */
export interface Slab {
  readonly bytes: Buffer;
  /** Bytes handed out that are still in use. */
  liveBytes: number;
}

export interface Place {
  slab: Slab;
  offset: number;
  length: number;
}

/**
 * Keeps values in blocks of 1 MiB: a Buffer for each value costs twice the memory and long garbage collections, and a
 * view of a request would pin the network chunk it came in. A slab goes when the last of its values has gone.
 */
export class Slabs {
  #current: Slab = newSlab(slabBytes);
  #used = 0;
  /** Bytes of all values in use. */
  liveBytes = 0;

  /** Makes room for `length` bytes; the caller fills them. */
  allocate(length: number): Place {
    this.liveBytes += length;
    if (length > slabBytes / 4) {
      return { slab: { bytes: Buffer.allocUnsafeSlow(length), liveBytes: length }, offset: 0, length };
    }
    if (this.#used + length > slabBytes) {
      this.#current = newSlab(slabBytes);
      this.#used = 0;
    }
    const place = { slab: this.#current, offset: this.#used, length };
    this.#used += length;
    this.#current.liveBytes += length;
    return place;
  }

  /** Says that a value is no longer needed. */
  free(place: Place): void {
    place.slab.liveBytes -= place.length;
    this.liveBytes -= place.length;
  }
}

function newSlab(length: number): Slab {
  return { bytes: Buffer.allocUnsafeSlow(length), liveBytes: 0 };
}
