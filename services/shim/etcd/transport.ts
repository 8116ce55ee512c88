/**
 * The seam between the etcd API and gRPC: calls are bytes in and bytes out, so that the transport can be tuned or
 * exchanged without touching the API.
 */

/** Looks up what a client sent beside its messages. */
export type Metadata = (name: string) => string | undefined;

/** A message that is put together while it is sent, so that a large one never stands in memory as a whole. */
export interface LargeMessage {
  /** In bytes. */
  readonly length: number;
  /** Its bytes in order. The next piece is taken when the client's connection has taken the one before. */
  readonly pieces: Iterable<Uint8Array>;
}

export type Unary = (request: Buffer, metadata: Metadata) => Promise<Uint8Array | LargeMessage>;

/**
 * A call whose client sends and receives any number of messages. One that sends only one (Snapshot, health Watch) is the
 * same on the wire.
 */
export interface StreamCall {
  readonly metadata: Metadata;
  onMessage(handler: (request: Buffer) => void): void;
  /** The client has sent its last message. */
  onHalfClose(handler: () => void): void;
  /** The call is over, however it ended. */
  onClose(handler: () => void): void;
  /** The client has read what waited for it. */
  onDrain(handler: () => void): void;
  write(response: Uint8Array): void;
  /** Bytes that wait for the client. */
  readonly unsentBytes: number;
  /** Ends the call, with an error or well. */
  end(error?: Error): void;
}
export type Streaming = (call: StreamCall) => void;

/** Calls by service (`etcdserverpb.KV`) and method (`Range`). */
export interface Service {
  name: string;
  unary: Record<string, Unary>;
  streaming: Record<string, Streaming>;
}
