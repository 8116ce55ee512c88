import { createAuthority, createLeaf, isSignedBy, type KeyedCertificate } from './x509.ts';

/** An authority lives as long as this many leafs: with leafs of a week, a year. */
const leafsOfAnAuthority = 52;

/** All certificates of a webhook. */
export interface Certificates {
  /** Signs the leafs. */
  authority: KeyedCertificate;
  /** Trusted already, and signs from the next leaf on; null while the authority is young. */
  next: KeyedCertificate | null;
  /** Signed the leafs before; trusted until the next change. */
  previous: KeyedCertificate | null;
  /** What is served. */
  leaf: KeyedCertificate;
}

/**
 * Brings the certificates up to date: makes them when there are none, renews what has lived two thirds of its life. A new
 * authority is trusted for the whole life of a leaf before it signs one, so that kube-apiserver has long read the bundle.
 *
 * @param lifetimeMs of a leaf, in milliseconds
 * @returns the same object when nothing is due
 */
export async function renew(
  current: Certificates | null,
  node: string,
  nowMs: number,
  lifetimeMs: number,
): Promise<Certificates> {
  if (!current || expired(current.authority, nowMs)) return found(node, nowMs, lifetimeMs);
  if (!due(current.leaf, nowMs) && isSignedBy(current.authority, current.leaf)) return current;
  const authority = current.next ?? current.authority;
  const previous = current.next ? current.authority : null;
  const next = due(authority, nowMs) ? await newAuthority(node, nowMs, lifetimeMs) : null;
  return { authority, next, previous, leaf: await createLeaf(authority, nowMs, lifetimeMs) };
}

/** The authorities that kube-apiserver must trust, in PEM. */
export function caBundle({ authority, next, previous }: Certificates): string {
  return [authority, next, previous].flatMap((each) => (each ? [each.cert.trim()] : [])).join('\n');
}

async function found(node: string, nowMs: number, lifetimeMs: number): Promise<Certificates> {
  const authority = await newAuthority(node, nowMs, lifetimeMs);
  return { authority, next: null, previous: null, leaf: await createLeaf(authority, nowMs, lifetimeMs) };
}

/** @param leafLifetimeMs of the leafs that it will sign, in milliseconds */
export function newAuthority(node: string, nowMs: number, leafLifetimeMs: number): Promise<KeyedCertificate> {
  const name = `twonode-webhook-ca ${node} ${new Date(nowMs).toISOString()}`;
  return createAuthority(name, nowMs, leafsOfAnAuthority * leafLifetimeMs);
}

/** Two thirds of its life are over; also when the clock was set back to before its life. */
function due({ notBeforeMs, notAfterMs }: KeyedCertificate, nowMs: number): boolean {
  return nowMs < notBeforeMs || nowMs >= notBeforeMs + ((notAfterMs - notBeforeMs) * 2) / 3;
}

function expired({ notBeforeMs, notAfterMs }: KeyedCertificate, nowMs: number): boolean {
  return nowMs < notBeforeMs || nowMs >= notAfterMs;
}
