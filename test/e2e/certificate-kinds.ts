import { generateKeyPairSync } from 'node:crypto';
import forge from 'node-forge';
import type { AnyObject } from './every-kind.ts';

// Objects which kube-apiserver takes only with a real signature in them.

/** kube-apiserver takes RSA keys of this size and larger in a PodCertificateRequest. */
const modulusLength = 3072;
const pem = generateKeyPairSync('rsa', { modulusLength }).privateKey.export({ type: 'pkcs1', format: 'pem' });
const key = forge.pki.privateKeyFromPem(pem.toString());
const publicKey = forge.pki.setRsaPublicKey(key.n, key.e);
const subject = [{ name: 'commonName', value: 'example' }];
const signerName = 'example.com/signer';
const group = 'certificates.k8s.io/v1';

/** @returns PKCS#10 */
function request(): forge.pki.CertificateSigningRequest {
  const csr = forge.pki.createCertificationRequest();
  csr.publicKey = publicKey;
  csr.setSubject(subject);
  csr.sign(key, forge.md.sha256.create());
  return csr;
}

/** @returns a CA in PEM */
function authority(): string {
  const ca = forge.pki.createCertificate();
  ca.publicKey = publicKey;
  ca.serialNumber = '01';
  ca.validity.notAfter = new Date(Date.now() + 86_400_000);
  ca.setSubject(subject);
  ca.setIssuer(subject);
  ca.setExtensions([{ name: 'basicConstraints', cA: true, critical: true }]);
  ca.sign(key, forge.md.sha256.create());
  return forge.pki.certificateToPem(ca);
}

/** A CertificateSigningRequest of somebody. */
export function certificateSigningRequest(name: string): AnyObject {
  const spec = {
    signerName,
    request: Buffer.from(forge.pki.certificationRequestToPem(request())).toString('base64'),
    usages: ['client auth'],
  };
  return { apiVersion: group, kind: 'CertificateSigningRequest', metadata: { name }, spec };
}

/** A PodCertificateRequest as the kubelet of node `x` makes it. */
export function podCertificateRequest(name: string): AnyObject {
  const der = forge.asn1.toDer(forge.pki.certificationRequestToAsn1(request())).getBytes();
  const spec = {
    signerName,
    podName: 'x',
    podUID: 'x',
    serviceAccountName: 'x',
    serviceAccountUID: 'x',
    nodeName: 'x',
    nodeUID: 'x',
    maxExpirationSeconds: 3_600,
    stubPKCS10Request: Buffer.from(der, 'binary').toString('base64'),
  };
  return { apiVersion: group, kind: 'PodCertificateRequest', metadata: { name }, spec };
}

/** A ClusterTrustBundle of no signer. */
export function clusterTrustBundle(name: string): AnyObject {
  return {
    apiVersion: group,
    kind: 'ClusterTrustBundle',
    metadata: { name },
    spec: { trustBundle: authority() },
  };
}
