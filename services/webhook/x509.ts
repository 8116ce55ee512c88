import { generateKeyPair, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import forge from 'node-forge';

/** A certificate, its key and its lifetime. */
export interface KeyedCertificate {
  /** PEM */
  cert: string;
  /** PEM, PKCS#8 */
  key: string;
  notBeforeMs: number;
  notAfterMs: number;
}

/** Certificates count from a little earlier, for clocks that differ; one that lives shortly from not as much. */
function clockSkewMs(lifetimeMs: number): number {
  return Math.min(5 * 60_000, lifetimeMs / 10);
}

/** Makes a CA that may sign leaf certificates only. @param lifetimeMs in milliseconds */
export async function createAuthority(
  name: string,
  nowMs: number,
  lifetimeMs: number,
): Promise<KeyedCertificate> {
  const key = await newKey();
  return sign({ name, key, nowMs, lifetimeMs, issuer: null }, [
    { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    { name: 'subjectKeyIdentifier' },
  ]);
}

/** Makes a server certificate for 127.0.0.1 and localhost. @param lifetimeMs in milliseconds */
export async function createLeaf(
  authority: KeyedCertificate,
  nowMs: number,
  lifetimeMs: number,
): Promise<KeyedCertificate> {
  const key = await newKey();
  return sign({ name: 'twonode-webhook', key, nowMs, lifetimeMs, issuer: authority }, [
    { name: 'basicConstraints', cA: false, critical: true },
    { name: 'keyUsage', digitalSignature: true, keyEncipherment: true, critical: true },
    { name: 'extKeyUsage', serverAuth: true },
    {
      name: 'subjectAltName',
      altNames: [
        { type: 7, ip: '127.0.0.1' },
        { type: 2, value: 'localhost' },
      ],
    },
  ]);
}

/**
 * Reads a certificate with its key.
 * @throws Error when the PEM cannot be read or the key belongs to another certificate
 */
export function readCertificate(cert: string, key: string): KeyedCertificate {
  const parsed = forge.pki.certificateFromPem(cert);
  const privateKey = forge.pki.privateKeyFromPem(key);
  const publicKey = parsed.publicKey as forge.pki.rsa.PublicKey;
  if (!publicKey.n.equals(privateKey.n)) throw new Error('the key is not the key of the certificate');
  const { notBefore, notAfter } = parsed.validity;
  return { cert, key, notBeforeMs: notBefore.getTime(), notAfterMs: notAfter.getTime() };
}

/** Whether `authority` signed the certificate. */
export function isSignedBy(authority: KeyedCertificate, leaf: KeyedCertificate): boolean {
  try {
    return forge.pki.certificateFromPem(authority.cert).verify(forge.pki.certificateFromPem(leaf.cert));
  } catch {
    return false;
  }
}

/** By node:crypto, which does not block; forge's own takes 400 ms of the event loop. forge signs with RSA only. */
async function newKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

interface Subject {
  name: string;
  key: string;
  nowMs: number;
  lifetimeMs: number;
  /** Null: it signs itself. */
  issuer: KeyedCertificate | null;
}

function sign({ name, key, nowMs, lifetimeMs, issuer }: Subject, extensions: object[]): KeyedCertificate {
  const privateKey = forge.pki.privateKeyFromPem(key);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = forge.pki.setRsaPublicKey(privateKey.n, privateKey.e);
  certificate.serialNumber = newSerial();
  certificate.validity.notBefore = new Date(nowMs - clockSkewMs(lifetimeMs));
  certificate.validity.notAfter = new Date(nowMs + lifetimeMs);
  const subject = [{ name: 'commonName', value: name }];
  certificate.setSubject(subject);
  certificate.setIssuer(issuer ? forge.pki.certificateFromPem(issuer.cert).subject.attributes : subject);
  certificate.setExtensions(extensions);
  certificate.sign(forge.pki.privateKeyFromPem(issuer?.key ?? key), forge.md.sha256.create());
  return readCertificate(forge.pki.certificateToPem(certificate), key);
}

/** 127 random bits, positive and never zero (RFC 5280, 4.1.2.2). */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}
