import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeDurably } from '../../shared/durable-file.ts';
import type { Certificates } from './certificates.ts';
import { readCertificate } from './x509.ts';

/**
 * The certificates and keys of a webhook, in one file that only its owner reads: they are replaced together or not at all.
 */

const keyed = z
  .object({ cert: z.string(), key: z.string() })
  .transform(({ cert, key }) => readCertificate(cert, key));

const schema = z.object({
  authority: keyed,
  next: keyed.nullable(),
  previous: keyed.nullable(),
  leaf: keyed,
});

/** Null when there is none yet, or it cannot be used: then new ones are made, and nothing is lost but trust that is renewed. */
export function readCertificates(folder: string): Certificates | null {
  try {
    return schema.parse(JSON.parse(readFileSync(fileIn(folder), 'utf8')));
  } catch {
    return null;
  }
}

export function writeCertificates(folder: string, certificates: Certificates): void {
  const pem = Object.entries(certificates).map(([name, each]) => [
    name,
    each && { cert: each.cert, key: each.key },
  ]);
  writeDurably(fileIn(folder), `${JSON.stringify(Object.fromEntries(pem), null, 2)}\n`);
}

function fileIn(folder: string): string {
  return join(folder, 'certificates.json');
}
