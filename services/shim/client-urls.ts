import { lstatSync, readFileSync, rmSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { UserError } from '../../shared/lifecycle.ts';
import { requireFreePorts } from '../../shared/process/ports.ts';
import type { GrpcServer, TlsOptions } from './etcd/grpc/server.ts';

/** etcd's flags about TLS for clients: paths of PEM files. */
export interface TlsFlags {
  certFile?: string;
  keyFile?: string;
  trustedCaFile?: string;
  clientCertAuth?: boolean;
}

/** Where clients connect to. */
export type ListenAddress = { host: string; port: number; tls: boolean } | { socket: string; tls: boolean };

/**
 * Reads a client URL as etcd does: `http://host:port`, `https://host:port`, `unix:///path` or `unixs:///path`.
 * @throws UserError
 */
export function parseClientUrl(text: string, flag: string): ListenAddress {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'unix:' || url?.protocol === 'unixs:') {
    const socket = `${url.host}${url.pathname}`;
    if (socket === '')
      throw new UserError(`${flag}: "${text}" names no socket, such as unix:///run/etcd.sock`);
    return { socket, tls: url.protocol === 'unixs:' };
  }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UserError(`${flag}: "${text}" is not a URL such as http://127.0.0.1:2379`);
  }
  // A URL drops the port that is its scheme's own.
  const port = url.port === '' ? /:(\d+)\/?$/.exec(text)?.[1] : url.port;
  if (port === undefined) throw new UserError(`${flag}: "${text}" has no port`);
  if (url.pathname !== '/' || url.search !== '')
    throw new UserError(`${flag}: "${text}" must not have a path`);
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(port), tls: url.protocol === 'https:' };
}

/**
 * What the TLS flags say; null when there are none.
 * @throws UserError when they do not go together, or when a file cannot be used
 */
export function tlsOptions(flags: TlsFlags): TlsOptions | null {
  const { certFile, keyFile, trustedCaFile, clientCertAuth = false } = flags;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new UserError('--cert-file and --key-file go together: one of them is missing');
  }
  if (clientCertAuth && !trustedCaFile) throw new UserError('--client-cert-auth needs --trusted-ca-file');
  if (!certFile || !keyFile) {
    if (trustedCaFile) throw new UserError('--trusted-ca-file needs --cert-file and --key-file');
    return null;
  }
  const cert = readPem('--cert-file', certFile);
  const key = readPem('--key-file', keyFile);
  const ca = trustedCaFile ? readPem('--trusted-ca-file', trustedCaFile) : undefined;
  checkUsable(`--cert-file ${certFile} and --key-file ${keyFile}`, () => createSecureContext({ cert, key }));
  if (ca) checkUsable(`--trusted-ca-file ${trustedCaFile}`, () => createSecureContext({ ca }));
  // As in etcd, a CA for clients alone already means that they must show a certificate of it.
  return { cert, key, ca, requestCert: ca !== undefined };
}

function readPem(flag: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UserError(`${flag}: cannot read ${file} (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** OpenSSL says what is wrong: no PEM, or a key of another certificate. */
function checkUsable(what: string, use: () => void): void {
  try {
    use();
  } catch (error) {
    throw new UserError(`${what} cannot be used: ${(error as Error).message}`);
  }
}

/** @throws UserError when a URL wants TLS and there is no certificate, or when its port is in use */
export async function checkListenAddresses(
  addresses: ListenAddress[],
  tls: TlsOptions | null,
): Promise<void> {
  const purpose = 'of --listen-client-urls';
  for (const address of addresses) {
    if (address.tls && !tls) throw new UserError('an https URL needs --cert-file and --key-file');
    if ('port' in address) await requireFreePorts([{ host: address.host, port: address.port, purpose }]);
  }
}

/** @throws UserError when it cannot listen there */
export async function listenForClients(
  server: GrpcServer,
  address: ListenAddress,
  tls: TlsOptions | null,
): Promise<void> {
  const options = address.tls ? tls : null;
  if ('socket' in address) removeStaleSocket(address.socket);
  const target = 'socket' in address ? { path: address.socket } : { host: address.host, port: address.port };
  await server.listen(target, options).catch((error: Error) => {
    throw new UserError(`cannot listen for clients: ${error.message}`);
  });
}

/** A process that was killed leaves its socket behind. etcd removes it, too. */
function removeStaleSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}
