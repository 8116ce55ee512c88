import { mkdirSync } from 'node:fs';
import { readCertificates, writeCertificates } from './certificate-files.ts';
import { type Certificates, renew } from './certificates.ts';

/** The certificates in a folder, kept up to date. */
export class ServingCertificates {
  readonly #folder: string;
  readonly #node: string;
  readonly #lifetimeMs: number;
  #current: Certificates;

  private constructor(folder: string, node: string, lifetimeMs: number, current: Certificates) {
    this.#folder = folder;
    this.#node = node;
    this.#lifetimeMs = lifetimeMs;
    this.#current = current;
  }

  /**
   * Reads the certificates of a folder, or makes them.
   * @param lifetimeMs of what is served, in milliseconds
   * @param nowMs milliseconds since the Unix epoch
   */
  static async open(
    folder: string,
    node: string,
    lifetimeMs: number,
    nowMs: number,
  ): Promise<ServingCertificates> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const stored = readCertificates(folder);
    const current = await renew(stored, node, nowMs, lifetimeMs);
    if (current !== stored) writeCertificates(folder, current);
    return new ServingCertificates(folder, node, lifetimeMs, current);
  }

  get current(): Certificates {
    return this.#current;
  }

  /** Renews what is due. @returns whether something changed */
  async renew(nowMs: number): Promise<boolean> {
    const renewed = await renew(this.#current, this.#node, nowMs, this.#lifetimeMs);
    if (renewed === this.#current) return false;
    writeCertificates(this.#folder, renewed);
    this.#current = renewed;
    return true;
  }
}
