import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { snapshotResponse } from '../../services/shim/etcd/messages.ts';
import { UserError } from '../../shared/lifecycle.ts';

const hashBytes = 32;
/** The whole backup of a full store takes a minute or two on a slow disk. */
const limitMs = 15 * 60_000;

/**
 * Saves the snapshot that an etcd endpoint streams. The file appears under its name when it is whole, checked and on disk.
 * @param address `127.0.0.1:2379`
 * @returns its size in bytes
 * @throws UserError when the file is there already, the endpoint does not answer, or the checksum is wrong
 */
export async function saveSnapshot(address: string, file: string): Promise<number> {
  if (existsSync(file)) throw new UserError(`${file} is there already`);
  const part = `${file}.part`;
  const handle = await open(part, 'w', 0o600).catch((error: Error) => {
    throw new UserError(`cannot write ${part}: ${error.message}`);
  });
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  try {
    const size = await receive(client, handle);
    await handle.sync();
    await handle.close();
    await rename(part, file);
    return size;
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(part, { force: true });
    throw error instanceof UserError ? error : new UserError(`no backup of ${address}: ${reason(error)}`);
  } finally {
    client.close();
  }
}

/** Writes what comes and checks that the last bytes are the SHA-256 of all before. */
async function receive(client: Client, handle: FileHandle): Promise<number> {
  const call = client.makeServerStreamRequest(
    '/etcdserverpb.Maintenance/Snapshot',
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes: Buffer) => snapshotResponse.decode(bytes).blob,
    new Uint8Array(),
    { deadline: Date.now() + limitMs },
  );
  const hash = createHash('sha256');
  let tail: Buffer = Buffer.alloc(0);
  let size = 0;
  for await (const blob of call as AsyncIterable<Uint8Array>) {
    const bytes = Buffer.concat([tail, blob]);
    const hashed = bytes.subarray(0, Math.max(0, bytes.length - hashBytes));
    hash.update(hashed);
    tail = bytes.subarray(hashed.length);
    await handle.writeFile(blob);
    size += blob.length;
  }
  if (!hash.digest().equals(tail)) throw new UserError('the snapshot came with a wrong checksum');
  return size;
}

function reason(error: unknown): string {
  const { details, message } = error as ServiceError;
  return details ?? message;
}
