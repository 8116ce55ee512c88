import {
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
  type StreamInfoRequestOptions,
} from 'nats';

/** JetStream's error codes that twonode tells apart (nats-server errors.json). */
export const jetStreamError = {
  streamNotFound: 10059,
  consumerNotFound: 10014,
  noMessageFound: 10037,
  wrongLastSequence: 10071,
  wrongLastSequenceConstant: 10164,
  storeFailed: 10077,
  insufficientResources: 10023,
} as const;

/** The JetStream error code of an error, or undefined when it is another one. */
export function jetStreamErrorCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

export interface StreamOptions {
  name: string;
  subject: string;
  /** Size in bytes at which the stream takes no more: a clean error, unlike a full disk. */
  maxBytes: number;
}

/** Makes a stream for log records: on disk, never discarding, one copy. */
export async function createLogStream(
  manager: JetStreamManager,
  options: StreamOptions,
): Promise<StreamInfo> {
  return manager.streams.add({
    name: options.name,
    subjects: [options.subject],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_bytes: options.maxBytes,
    num_replicas: 1,
    allow_direct: true,
    deny_delete: true,
  });
}

/** A stream's info, or null when there is no such stream. */
export async function findStream(
  manager: JetStreamManager,
  name: string,
  options: Partial<StreamInfoRequestOptions> = {},
): Promise<StreamInfo | null> {
  try {
    return await manager.streams.info(name, options);
  } catch (error) {
    if (jetStreamErrorCode(error) === jetStreamError.streamNotFound) return null;
    throw error;
  }
}

/** The bytes of one message of a stream, or null when the stream does not hold it. */
export async function readMessage(
  manager: JetStreamManager,
  stream: string,
  sequence: number,
): Promise<Buffer | null> {
  try {
    return Buffer.from((await manager.streams.getMessage(stream, { seq: sequence })).data);
  } catch (error) {
    if (jetStreamErrorCode(error) === jetStreamError.noMessageFound) return null;
    throw error;
  }
}
