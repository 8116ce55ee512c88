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

/** Memory that may be lost to slabs which are not full, in bytes, beside as much as all values take. */
const slackBytes = 16 * 1024 * 1024;

/**
 * Keeps values in blocks of 1 MiB: a Buffer for each value costs twice the memory and long garbage collections, and a
 * view of a request would pin the network chunk it came in. A slab goes when the last of its values has gone; so that one
 * old value among many short-lived ones does not keep a whole slab, the values of slabs that are half empty are moved
 * together when too much is lost that way.
 */
export class Slabs {
  #current: Slab = newSlab(slabBytes);
  #used = 0;
  /** Bytes of all slabs with a value in use. */
  #heldBytes = slabBytes;
  /** Bytes of all values in use. */
  liveBytes = 0;
  /** How many values are in use. */
  liveCount = 0;

  /** Makes room for `length` bytes; the caller fills them. */
  allocate(length: number): Place {
    this.liveBytes += length;
    this.liveCount++;
    if (length > slabBytes / 4) {
      this.#heldBytes += length;
      return { slab: { bytes: Buffer.allocUnsafeSlow(length), liveBytes: length }, offset: 0, length };
    }
    if (this.#used + length > slabBytes) {
      if (this.#current.liveBytes === 0) this.#heldBytes -= slabBytes;
      this.#heldBytes += slabBytes;
      this.#current = newSlab(slabBytes);
      this.#used = 0;
    }
    const place = { slab: this.#current, offset: this.#used, length };
    this.#used += length;
    this.#current.liveBytes += length;
    return place;
  }

  /** Says that a value is no longer needed. */
  free({ slab, length }: Place): void {
    slab.liveBytes -= length;
    this.liveBytes -= length;
    this.liveCount--;
    if (slab.liveBytes === 0 && slab !== this.#current) this.#heldBytes -= slab.bytes.length;
  }

  /** Whether so much is lost to slabs which are not full that their values should be moved together. */
  get isWasteful(): boolean {
    return this.#heldBytes > 2 * this.liveBytes + slackBytes;
  }

  /** Moves a value if its slab is less than half full. Views of it stay true: nothing is ever written twice. */
  moveTogether(place: Place): void {
    const { slab, offset, length } = place;
    if (slab === this.#current || slab.liveBytes * 2 >= slab.bytes.length) return;
    const to = this.allocate(length);
    slab.bytes.copy(to.slab.bytes, to.offset, offset, offset + length);
    this.free(place);
    place.slab = to.slab;
    place.offset = to.offset;
  }
}

function newSlab(length: number): Slab {
  return { bytes: Buffer.allocUnsafeSlow(length), liveBytes: 0 };
}
