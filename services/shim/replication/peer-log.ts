import type { JetStreamManager, Msg, NatsConnection } from 'nats';
import { decodeMessage } from '../../../shared/messages.ts';
import { subjects } from '../../../shared/subjects.ts';
import { chainOf } from '../log/record.ts';
import { readMessage } from '../log/stream.ts';
import { logBatch, logRequestSchema } from './protocol.ts';

/** Bytes of records in one answer; a single record may be larger. The server's max_payload is well above. */
const batchBytesMax = 1024 * 1024;
const askLimitMs = 5_000;

/** A record of a log, as it stands there. */
export interface RawRecord {
  sequence: number;
  bytes: Buffer;
}

/** Answers a `log` request from a stream of this node. */
export async function answerLogRequest(
  manager: JetStreamManager,
  stream: string,
  message: Msg,
): Promise<void> {
  const request = decodeMessage(logRequestSchema, message.data);
  if (!request.ok) return;
  const { from, records_max } = request.value;
  const sequences = Array.from({ length: records_max }, (_, i) => from + i);
  const found = await Promise.all(sequences.map((sequence) => readMessage(manager, stream, sequence)));
  const records: { bytes: Buffer }[] = [];
  let size = 0;
  for (const bytes of found) {
    if (!bytes || (size > 0 && size + bytes.length > batchBytesMax)) break;
    size += bytes.length;
    records.push({ bytes });
  }
  message.respond(logBatch.encode({ first: from, records }));
}

/** The copy of the log that the peer holds. */
export class PeerLog {
  readonly #connection: NatsConnection;
  readonly #peer: string;

  constructor(connection: NatsConnection, peer: string) {
    this.#connection = connection;
    this.#peer = peer;
  }

  /**
   * Some records from `from` on, without a hole; none when the peer does not hold that one.
   * @throws Error when the peer does not answer
   */
  async read(from: number, recordsMax = 16): Promise<RawRecord[]> {
    const request = JSON.stringify({ from, records_max: recordsMax });
    const subject = subjects.rpc(this.#peer, 'log');
    const message = await this.#connection.request(subject, request, { timeout: askLimitMs });
    const { first, records } = logBatch.decode(message.data);
    return records.map(({ bytes }, i) => ({ sequence: first + i, bytes: Buffer.from(bytes) }));
  }

  /** The chain of one record; null when the peer does not hold it. */
  async chainAt(sequence: number): Promise<number | null> {
    const [record] = await this.read(sequence, 1);
    return record ? chainOf(record.bytes) : null;
  }
}
