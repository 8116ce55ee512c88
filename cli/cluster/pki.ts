import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import forge from 'node-forge';

const validDays = 3_650;
/** First address of the service range: the `kubernetes` service. */
export const serviceRange = '10.43.0.0/16';
const kubernetesServiceAddress = '10.43.0.1';

/** What the kube-apiservers of one cluster share, and their serving certificates. */
export interface Pki {
  folder: string;
  ca: string;
  serviceAccountKey: string;
  /** CSV file of `--token-auth-file`. */
  tokens: string;
  adminToken: string;
  /** Makes (once) the serving certificate of a node. */
  serving(node: string, address: string): { cert: string; key: string };
}

/** Opens the keys and certificates in `folder`, and makes those that are missing. */
export function openPki(folder: string): Pki {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = (name: string, make: () => string) => {
    const path = join(folder, name);
    if (!existsSync(path)) writeFileSync(path, make(), { mode: 0o600 });
    return path;
  };
  const caKey = file('ca.key', newKey);
  const ca = file('ca.crt', () => selfSigned(readFileSync(caKey, 'utf8')));
  const adminToken = readFileSync(
    file('admin.token', () => randomBytes(24).toString('hex')),
    'utf8',
  );
  return {
    folder,
    ca,
    adminToken,
    serviceAccountKey: file('service-account.key', newKey),
    tokens: file('tokens.csv', () => `${adminToken},system:admin,admin,"system:masters"\n`),
    serving: (node, address) => {
      const key = file(`${node}.key`, newKey);
      const cert = file(`${node}.crt`, () =>
        servingCertificate(readFileSync(key, 'utf8'), address, {
          cert: readFileSync(ca, 'utf8'),
          key: readFileSync(caKey, 'utf8'),
        }),
      );
      return { cert, key };
    },
  };
}

/** By node:crypto: forge's own generator blocks for half a second. */
function newKey(): string {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  }).privateKey;
}

function selfSigned(keyPem: string): string {
  const key = forge.pki.privateKeyFromPem(keyPem);
  const subject = [{ name: 'commonName', value: 'twonode loopback CA' }];
  const cert = certificate(key, subject, subject, [
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ]);
  cert.sign(key, forge.md.sha256.create());
  return forge.pki.certificateToPem(cert);
}

function servingCertificate(keyPem: string, address: string, ca: { cert: string; key: string }): string {
  const issuer = forge.pki.certificateFromPem(ca.cert).subject.attributes;
  const names = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  const addresses = ['127.0.0.1', address, kubernetesServiceAddress];
  const cert = certificate(
    forge.pki.privateKeyFromPem(keyPem),
    [{ name: 'commonName', value: 'kube-apiserver' }],
    issuer,
    [
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...names.map((value) => ({ type: 2, value })),
          ...addresses.map((ip) => ({ type: 7, ip })),
        ],
      },
    ],
  );
  cert.sign(forge.pki.privateKeyFromPem(ca.key), forge.md.sha256.create());
  return forge.pki.certificateToPem(cert);
}

function certificate(
  key: forge.pki.rsa.PrivateKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  extensions: object[],
): forge.pki.Certificate {
  const cert = forge.pki.createCertificate();
  cert.publicKey = forge.pki.rsa.setPublicKey(key.n, key.e);
  // The first bit of a serial number must be 0, else it is negative.
  cert.serialNumber = `01${randomBytes(15).toString('hex')}`;
  cert.validity.notBefore = new Date(Date.now() - 3_600_000);
  cert.validity.notAfter = new Date(Date.now() + validDays * 86_400_000);
  cert.setSubject(subject);
  cert.setIssuer(issuer);
  cert.setExtensions(extensions);
  return cert;
}
