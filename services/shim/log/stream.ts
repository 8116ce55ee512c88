import {
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
  type StreamInfoRequestOptions,
} from 'nats';
import { logStreamNumber } from '../../../shared/nats-server/names.ts';
import { chainOf } from './record.ts';

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

/** A stream for log records: on disk, never discarding, one copy. */
function logConfig({ name, subject, maxBytes }: StreamOptions): Partial<StreamConfig> & { name: string } {
  return {
    name,
    subjects: [subject],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_bytes: maxBytes,
    num_replicas: 1,
    allow_direct: true,
    deny_delete: true,
  };
}

/**
 * Makes the stream of a log, for records from `firstSequence` on.
 * @param firstSequence >= 1
 */
export function createLogStream(
  manager: JetStreamManager,
  options: StreamOptions,
  firstSequence = 1,
): Promise<StreamInfo> {
  return manager.streams.add({ ...logConfig(options), first_seq: firstSequence });
}

/** The stream of a log, made where there is none. */
export async function ensureLogStream(
  manager: JetStreamManager,
  options: StreamOptions,
): Promise<StreamInfo> {
  return (await findStream(manager, options.name)) ?? createLogStream(manager, options);
}

/** Whether a stream is a log that this node writes: neither a mirror, nor one that was given up. */
export function isWritable({ config }: StreamInfo, subject: string): boolean {
  return config.subjects?.includes(subject) ?? false;
}

/** Makes a mirror the log that this node writes: what it holds stays as it is. */
export async function makeWritable(manager: JetStreamManager, options: StreamOptions): Promise<void> {
  await manager.streams.update(options.name, { ...logConfig(options), mirror: undefined } as never);
}

/** Makes a log, or a mirror, a stream that nobody writes to: what it holds stays as it is. */
export async function giveUp(manager: JetStreamManager, name: string): Promise<void> {
  // Its own name is what NATS gives a stream without a subject.
  await manager.streams.update(name, { mirror: undefined, subjects: [name] } as never);
}

/** Names of the streams that hold this node's log or copies of it, in the order of their numbers. */
export async function findLogStreams(manager: JetStreamManager): Promise<string[]> {
  const found: { name: string; number: number }[] = [];
  for await (const name of manager.streams.names()) {
    const number = logStreamNumber(name);
    if (number !== null) found.push({ name, number });
  }
  return found.sort((left, right) => left.number - right.number).map(({ name }) => name);
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

/** The newest message of a stream that is there: NATS may count others behind it that a damaged file has lost. */
export async function readLastMessage(
  manager: JetStreamManager,
  stream: string,
  subject: string,
): Promise<{ sequence: number; bytes: Buffer } | null> {
  try {
    const message = await manager.streams.getMessage(stream, { last_by_subj: subject });
    return { sequence: message.seq, bytes: Buffer.from(message.data) };
  } catch (error) {
    const code = jetStreamErrorCode(error);
    if (code === jetStreamError.noMessageFound || code === jetStreamError.streamNotFound) return null;
    throw error;
  }
}

/** The chain of one record of a log; null when the stream does not hold it. */
export async function chainAt(
  manager: JetStreamManager,
  stream: string,
  sequence: number,
): Promise<number | null> {
  const record = await readMessage(manager, stream, sequence);
  return record && chainOf(record);
}
