import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { UserError } from './lifecycle.ts';

/**
 * What each secret is for. All are derived from the one cluster key, so that a person carries one file from node to node.
 *
 * - `beat`: HMAC of the UDP beats
 * - `leaf`: password of the follower's leaf connection at the leader
 * - `services`: password of twonode's own services at their nats-server
 */
export type SecretPurpose = 'beat' | 'leaf' | 'services';

/**
 * Reads the cluster key.
 * @throws UserError when the file is missing or is not 64 hex digits
 */
export function readClusterKey(file: string): Buffer {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new UserError(
      `${file}: cannot read the cluster key (${code}); "twonode init" on one node makes it, copy it to the other`,
    );
  }
  if (!/^[0-9a-f]{64}$/.test(text)) throw new UserError(`${file}: the cluster key must be 64 hex digits`);
  return Buffer.from(text, 'hex');
}

/** Derives the secret for one purpose: 64 hex digits. */
export function deriveSecret(clusterKey: Buffer, purpose: SecretPurpose): string {
  return createHmac('sha256', clusterKey).update(`twonode:${purpose}`).digest('hex');
}
