import { writeHeader } from '../kv/responses.ts';
import { Writer } from '../protobuf/wire.ts';
import type { WatchHub } from '../watch/watch-hub.ts';
import { Watcher, type WatchSink } from '../watch/watcher.ts';
import { etcdErrors } from './errors.ts';
import { type WatchCreateRequest, watchRequest } from './messages.ts';

/** Bytes that may wait for a slow client; beyond it, its watchers keep only their place. */
const unsentBytesMax = 1024 * 1024;

/** Where a watch stream's answers go. `write` returns the bytes that wait for the client. */
export interface StreamOutput {
  write(response: Buffer): void;
  readonly unsentBytes: number;
}

/** One Watch call: any number of watchers over one stream, created and cancelled by its requests. */
export class WatchStream implements WatchSink {
  readonly #hub: WatchHub;
  readonly #identity: Uint8Array;
  readonly #output: StreamOutput;
  readonly #fragmentBytesMax: number;
  readonly #watchers = new Map<number, Watcher>();
  #nextId = 0;

  /** @param fragmentBytesMax bytes above which the answers of a watcher that wants so are cut, at events */
  constructor(hub: WatchHub, identity: Uint8Array, output: StreamOutput, fragmentBytesMax: number) {
    this.#fragmentBytesMax = fragmentBytesMax;
    this.#hub = hub;
    this.#identity = identity;
    this.#output = output;
  }

  get congested(): boolean {
    return this.#output.unsentBytes > unsentBytesMax;
  }

  /** @throws WireError */
  request(bytes: Buffer): void {
    const request = watchRequest.decode(bytes);
    if (request.createRequest) this.#create(request.createRequest);
    else if (request.cancelRequest) this.#cancel(request.cancelRequest.watchId);
    else if (request.progressRequest) this.#progressAll();
  }

  /** The client has read what waited: whoever is behind goes on. */
  drained(): void {
    for (const watcher of [...this.#watchers.values()]) if (!watcher.synced) this.#hub.catchUp(watcher);
  }

  /** Tells watchers that asked for it, and heard nothing since the last time, how far they are. */
  progressInterval(): void {
    if (this.congested) return;
    for (const watcher of this.#watchers.values()) {
      if (watcher.progressNotify && watcher.synced && !watcher.active)
        this.#answer(watcher.id, this.#hub.revision);
      watcher.active = false;
    }
  }

  close(): void {
    for (const watcher of this.#watchers.values()) this.#hub.remove(watcher);
    this.#watchers.clear();
  }

  #create(request: WatchCreateRequest): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== null) {
      this.#answer(-1, this.#hub.revision, { created: true, canceled: true, reason: refusal });
      return;
    }
    const id = request.watchId === 0 ? this.#freeId() : request.watchId;
    const next = request.startRevision > 0 ? request.startRevision : this.#hub.revision + 1;
    const watcher = new Watcher(id, request, next, this);
    this.#watchers.set(id, watcher);
    this.#answer(id, this.#hub.revision, { created: true });
    this.#hub.add(watcher);
  }

  #refusalOf({ key, rangeEnd, startRevision, watchId }: WatchCreateRequest): string | null {
    if (startRevision < 0) return etcdErrors.compacted().message;
    if (rangeEnd !== '' && rangeEnd !== '\0' && key >= rangeEnd) return 'mvcc: watcher range is empty';
    if (this.#watchers.has(watchId) && watchId !== 0)
      return 'mvcc: duplicate watch ID provided on the WatchStream';
    return null;
  }

  #freeId(): number {
    while (this.#watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  #cancel(id: number): void {
    const watcher = this.#watchers.get(id);
    if (!watcher) return;
    this.#hub.remove(watcher);
    this.#watchers.delete(id);
    this.#answer(id, this.#hub.revision, { canceled: true });
  }

  /**
   * Answers with watch id -1 when all watchers of the stream have every event up to the revision that it tells; while
   * one is behind, or where there is none, there is no answer, as with etcd.
   */
  #progressAll(): void {
    if (this.#watchers.size === 0) return;
    for (const watcher of this.#watchers.values()) if (!watcher.synced) return;
    this.#answer(-1, this.#hub.revision);
  }

  events(watcher: Watcher, events: Buffer[], revision: number): void {
    const parts = watcher.fragment ? fragments(events, this.#fragmentBytesMax) : [events];
    for (const [index, part] of parts.entries()) {
      const writer = new Writer(64 + bytesOf(part));
      this.#writeStart(writer, watcher.id, revision);
      if (index < parts.length - 1) writer.raw(Buffer.of(0x38, 1));
      for (const event of part) writer.raw(event);
      this.#output.write(writer.finish());
    }
  }

  compacted(watcher: Watcher, compactRevision: number): void {
    this.#watchers.delete(watcher.id);
    // etcd tells no revision here.
    this.#answer(watcher.id, 0, { canceled: true, compactRevision });
  }

  #writeStart(writer: Writer, id: number, revision: number): void {
    writeHeader(writer, { identity: this.#identity, revision });
    if (id === 0) return;
    writer.byte(0x10);
    writer.int64(id);
  }

  #answer(
    id: number,
    revision: number,
    fields: { created?: boolean; canceled?: boolean; compactRevision?: number; reason?: string } = {},
  ): void {
    const writer = new Writer();
    this.#writeStart(writer, id, revision);
    if (fields.created) writer.raw(Buffer.of(0x18, 1));
    if (fields.canceled) writer.raw(Buffer.of(0x20, 1));
    if (fields.compactRevision) {
      writer.byte(0x28);
      writer.varint(fields.compactRevision);
    }
    if (fields.reason) {
      writer.byte(0x32);
      writer.bytes(Buffer.from(fields.reason));
    }
    this.#output.write(writer.finish());
  }
}

function bytesOf(events: readonly Buffer[]): number {
  return events.reduce((sum, event) => sum + event.length, 0);
}

/** Cuts events into parts below `bytesMax`; an event is never cut. */
function fragments(events: Buffer[], bytesMax: number): Buffer[][] {
  const parts: Buffer[][] = [];
  let part: Buffer[] = [];
  let bytes = 0;
  for (const event of events) {
    if (part.length > 0 && bytes + event.length >= bytesMax) {
      parts.push(part);
      part = [];
      bytes = 0;
    }
    part.push(event);
    bytes += event.length;
  }
  parts.push(part);
  return parts;
}
