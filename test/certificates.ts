import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import forge from 'node-forge';

const dayMs = 86_400_000;

/** Paths of PEM files. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** Writes a CA and what it signs into a folder, for tests of TLS. */
export class TestAuthority {
  readonly #folder: string;
  readonly #key: forge.pki.rsa.PrivateKey;
  readonly #subject: forge.pki.CertificateField[];
  readonly file: string;
  #serial = 1;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#subject = [{ name: 'commonName', value: name }];
    const key = newKey();
    this.#key = forge.pki.privateKeyFromPem(key);
    this.file = join(folder, `${name}.crt`);
    const extensions = [{ name: 'basicConstraints', cA: true }];
    writeFileSync(this.file, this.#sign(this.#key, this.#subject, extensions));
  }

  /** A certificate for 127.0.0.1, for a server and for a client. */
  issue(name: string): CertificateFiles {
    const pem = newKey();
    const files = { cert: join(this.#folder, `${name}.crt`), key: join(this.#folder, `${name}.key`) };
    const extensions = [
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ];
    const subject = [{ name: 'commonName', value: name }];
    writeFileSync(files.cert, this.#sign(forge.pki.privateKeyFromPem(pem), subject, extensions));
    writeFileSync(files.key, pem);
    return files;
  }

  #sign(key: forge.pki.rsa.PrivateKey, subject: forge.pki.CertificateField[], extensions: object[]): string {
    const certificate = forge.pki.createCertificate();
    certificate.publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
    certificate.serialNumber = (this.#serial++).toString(16).padStart(2, '0');
    certificate.validity.notBefore = new Date(Date.now() - dayMs);
    certificate.validity.notAfter = new Date(Date.now() + dayMs);
    certificate.setSubject(subject);
    certificate.setIssuer(this.#subject);
    certificate.setExtensions(extensions);
    certificate.sign(this.#key, forge.md.sha256.create());
    return forge.pki.certificateToPem(certificate);
  }
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}
