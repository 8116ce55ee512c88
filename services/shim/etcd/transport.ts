/**
 * The seam between the etcd API and gRPC: calls are bytes in and bytes out, so that the transport can be tuned or
 * exchanged without touching the API.
 */

/** Looks up what a client sent beside its messages. */
export type Metadata = (name: string) => string | undefined;

export type Unary = (request: Buffer, metadata: Metadata) => Promise<Uint8Array>;

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
